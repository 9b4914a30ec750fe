#!/bin/sh
# Every shipped recipe, on what frameworks wrote.
. "${abs_top_srcdir:?}/tests/cli/lib.sh"

run types --json
for type in caiman/training audiocraft/training ksuit/run state-dict; do
	grep -q "$type" "$out" || skip "no plugin knows $type"
done
examples=$abs_top_srcdir/doc/examples
cp -r "$examples/tree" old
chmod -R u+w old
rm old/mlp/2022/epoch10.pt

# is FILE TYPE: a sound one.
is()
{
	run verify "$1"
	status 0
	out "$2"
}

# equal OUTPUT SOURCE [OPTION...]: what convert makes of it.
equal()
{
	target=.t/equal.${1##*.}
	from=$2 to=$1
	shift 2
	run convert "$from" "$target" --overwrite "$@"
	status 0
	run diff --strict "$to" "$target"
	status 0
}

# ---- upgrade -------------------------------------------------------------------
run migrate old upgrade --recipe upgrade --verify
status 0
err '18 done, 4 skipped, 12 member'
is upgrade/mlp/2016/first.pt torch,
is upgrade/mlp/2019/whole.pth torch,
equal upgrade/asr/hardware-1.4.pt old/asr/hardware-1.4.pt --upgrade
equal upgrade/mlp/2019/best.pth old/mlp/2019/best.pth --to-format torch
present upgrade/vision/2026-02-01_ab12c/train/checkpoints

# ---- to-safetensors ------------------------------------------------------------
run migrate old whole --recipe to-safetensors --verify
status 0
err '18 done, 4 skipped, 12 member'
run convert whole/gpt/epoch30.safetensors back.pt
status 0
run diff --strict back.pt old/gpt/epoch30.pt
status 0

# ---- weights-only --------------------------------------------------------------
run migrate old weights --recipe weights-only --verify
status 0
err '14 done, 8 skipped, 12 member'
equal weights/gpt/epoch30.safetensors old/gpt/epoch30.pt --weights
equal weights/asr/RNN-T_best_checkpoint.safetensors \
	old/asr/RNN-T_best_checkpoint.pt --weights
absent weights/features/mean.npy weights/features/mean.safetensors

# ---- bfloat16 ------------------------------------------------------------------
run migrate old half --recipe bfloat16 --verify
status 0
err '14 done, 8 skipped, 12 member'
equal half/mlp/2022/epoch9.safetensors old/mlp/2022/epoch9.pt --weights \
	--cast bfloat16
run inspect half/gpt/ddp.safetensors --tensors
status 0
out 'layers.0.weight'
no_out 'module.'

# ---- drop-optimizer ------------------------------------------------------------
run migrate old lean --recipe drop-optimizer --verify
status 0
equal lean/gpt/epoch30.pt old/gpt/epoch30.pt --weights
cmp -s old/asr/datasets/stats/tiny-winsz0.025/meln.pt \
	lean/asr/datasets/stats/tiny-winsz0.025/meln.pt ||
	fail 'mel statistics are not copied as they are'
absent lean/hub/model.safetensors \
	lean/vision/2026-02-01_ab12c/train/checkpoints/autoencoder.encoder_cp=latest_optim.th

# ---- caiman-hardware -----------------------------------------------------------
mkdir speech
cp -r "$examples/caiman" speech/run1
cp -r "$examples/caiman" speech/run2
chmod -R u+w speech
run migrate speech server --recipe caiman-hardware
status 5
err 'directory /datasets/stats/demo-winsz0.025 of the mel statistics does not exist'
sed "s|    output:|    map-path: {/datasets: $PWD/speech/run1/datasets}\\
    set: {variant: $PWD/speech/run1/demo.yaml}\\
&|" "$abs_top_srcdir/schemas/recipes/caiman-hardware.yaml" >mine.yaml
run migrate speech server --recipe mine.yaml --verify
status 0
err '2 done'
is server/run1/RNN-T_best_checkpoint.hw.pt caiman/hardware
grep -q '"path":"run2/config.yaml"' \
	server/run2/RNN-T_best_checkpoint.hw.pt.ferry.json ||
	fail 'the sidecar does not name the config'
run migrate speech server --recipe mine.yaml --verify
err '2 kept'
# Another config makes another server's checkpoint.
echo '# changed' >>speech/run2/config.yaml
run migrate speech server --recipe mine.yaml --verify
status 0
err '1 done, 1 kept'
rm speech/run2/config.yaml
run migrate speech server --recipe mine.yaml
status 5
err 'run2/config.yaml: is not there'

# ---- audiocraft-export ---------------------------------------------------------
mkdir -p music/lm music/codec
cp "$FERRY_CORPUS/audiocraft/musicgen/checkpoint.th" music/lm
cp "$FERRY_CORPUS/audiocraft/compression/checkpoint.th" music/codec
run migrate music export --recipe audiocraft-export
status 5
err '1 done, 1 failed'
err 'music/codec/checkpoint.th: the run trains a compression model'
is export/lm/checkpoint/state_dict.bin audiocraft/export-lm
equal export/lm/checkpoint/state_dict.bin music/lm/checkpoint.th \
	--to audiocraft/export-lm
run migrate music codec --recipe audiocraft-export-compression
status 5
err '1 done, 1 failed'
is codec/codec/checkpoint/compression_state_dict.bin audiocraft/export-compression

# ---- none is forgotten here ----------------------------------------------------
for recipe in "$abs_top_srcdir"/schemas/recipes/*.yaml; do
	name=${recipe##*/}
	name=${name%.yaml}
	grep -q -e "--recipe $name\$" -e "--recipe $name " \
		"$abs_top_srcdir/tests/cli/recipes.sh" ||
		fail "$name is not tested"
	grep -q "^| \`$name\` |" "$abs_top_srcdir/doc/migrate.md" ||
		fail "$name is not described"
done

# One that is not there.
run migrate speech new --recipe to-safetensor
status 1
err "no recipe named 'to-safetensor' ships with ferry (did you mean 'to-safetensors'?); name a file of your own by its path"

finish
