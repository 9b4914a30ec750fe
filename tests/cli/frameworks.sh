#!/bin/sh
# From one framework to another, by way of weights, and through every format.
. "${abs_top_srcdir:?}/tests/cli/lib.sh"

caiman=$FERRY_CORPUS/caiman
audiocraft=$FERRY_CORPUS/audiocraft
ksuit=$FERRY_CORPUS/ksuit
linnaeus=$FERRY_CORPUS/linnaeus
[ -d "$ksuit/models" ] || skip 'no files of noether here'
model=$ksuit/models/encoder_cp=E10_U200_S800_model.th

# ---- the graph -----------------------------------------------------------------

run conversions
status 0
for name in audiocraft-export-lm-to-state-dict state-dict-to-ksuit-model \
	linnaeus-training-to-state-dict caiman-training-to-hardware \
	ksuit-ema-to-run audiocraft-state-dict-to-export-lm; do
	out "$name"
done

# ---- a plan shows the chain, and what it loses ----------------------------------

run plan "$audiocraft/exports/state_dict.bin" lm_cp=last_model.th --to ksuit/model --set tag=last \
	--rename '^transformer\.=>body.' --drop '^condition_provider'
status 0
out "convert  audiocraft-export-lm-to-state-dict"
out "'audiocraft/export-lm' to 'state-dict'"
out "convert  state-dict-to-ksuit-model"
out "'state-dict' to 'ksuit/model'"
out "'xp.cfg' is left behind"
out "'version' is left behind"
run plan "$linnaeus/ckpt_epoch_5.pth" w.safetensors --to state-dict
status 0
out 'linnaeus-training-to-state-dict'
for part in optimizer lr_scheduler config metrics_tracker; do
	out "$part: left behind"
done
run plan "$linnaeus/ckpt_epoch_5.pth" w.safetensors --to state-dict --json
json
run plan "$caiman/training-1.9.pt" m.th --to ksuit/model
status 0
out 'caiman-training-to-state-dict'
out 'state-dict-to-ksuit-model'
# A run has two steps before it, which take its settings.
run plan "$ksuit/run/2026-02-01_ab12c" w.npz --to state-dict --set tag=latest
status 0
out 'ksuit-run-to-model'
out 'ksuit-model-to-state-dict'
out 'autoencoder_cp=latest_trainer.th is left behind'

# ---- and a conversion makes it ---------------------------------------------------

# Weights arrive bit for bit, whatever they went through.
chain()
{
	run convert "$1" chained.th --overwrite --to ksuit/model --set tag=last
	status 0
	run verify chained.th
	status 0
	run scan --strict chained.th
	status 0
	for ending in pt safetensors npz; do
		run convert "$1" "direct.$ending" --overwrite --to state-dict
		status 0
		run convert chained.th "back.$ending" --overwrite --to state-dict
		status 0
		run diff "direct.$ending" "back.$ending"
		status 0
		run convert "direct.$ending" again.th --overwrite --to ksuit/model --set tag=last
		status 0
		run diff chained.th again.th
		status 0
	done
}
chain "$audiocraft/exports/state_dict.bin"
chain "$audiocraft/exports/compression_state_dict.bin"
chain "$audiocraft/musicgen/checkpoint.th"
chain "$linnaeus/ckpt_epoch_5.pth"
chain "$caiman/training-1.9.pt"
chain "$caiman/hardware-1.11.pt"

# Handling is done between the steps.
run convert "$audiocraft/exports/state_dict.bin" handled.th --to ksuit/model --set tag=last \
	--rename '^transformer\.=>body.' --drop '^condition_provider'
status 0
run inspect --tensors handled.th
out 'state_dict.body.'
no_out 'condition_provider'
no_out 'state_dict.transformer'
run convert "$linnaeus/ckpt_epoch_5.pth" handled.safetensors --to state-dict --model linnaeus/mFormerV1
status 0
run convert "$linnaeus/ckpt_epoch_5.pth" handled.th --overwrite --to ksuit/model --set tag=last \
	--model linnaeus/mFormerV1
status 0
run convert handled.th back.safetensors --overwrite --to state-dict
status 0
run diff handled.safetensors back.safetensors
status 0

# The other way: noether's weights for a program of audiocraft, with its config.
run convert "$audiocraft/exports/state_dict.bin" lm.th --to ksuit/model --set tag=last
status 0
run plan lm.th lm.bin --to audiocraft/export-lm
status 3
err "conversion 'audiocraft-state-dict-to-export-lm' needs a file as config"
printf 'solver: musicgen\n' >lm.yaml
run convert lm.th lm.bin --to audiocraft/export-lm --with config=lm.yaml
status 0
run inspect lm.bin
out '  type             audiocraft/export-lm'
run convert lm.bin back.pt --overwrite --to state-dict
status 0
run convert "$audiocraft/exports/state_dict.bin" direct.pt --overwrite --to state-dict
status 0
run diff direct.pt back.pt
status 0

# ---- every kind of file through every format --------------------------------------

for file in "$caiman/training-1.9.pt" "$caiman/hardware-1.11.pt" "$caiman/hardware-1.14.hw.pt" \
	"$audiocraft/musicgen/checkpoint.th" "$audiocraft/exports/state_dict.bin" \
	"$audiocraft/exports/compression_state_dict.bin" "$audiocraft/exports/reference.bin" \
	"$ksuit/ksuit/encoder_cp=last_model.th" "$ksuit/models/encoder_cp=E10_U200_S800_ema=0.99_model.th" \
	"$ksuit/models/encoder_cp=E10_U200_S800_optim.th" "$ksuit/models/objects_cp=last_model.th" \
	"$ksuit/trainers/T1_cp=E10_U200_S800_trainer.th" "$linnaeus/ckpt_epoch_5.pth" "$model"; do
	run inspect "$file"
	status 0
	is=$(sed -n 's/^  type  *\([^: ]*\):.*/\1/p' "$out")
	for ending in pt safetensors npz; do
		run convert "$file" "through.$ending" --overwrite
		status 0
		run inspect "through.$ending"
		status 0
		out "  type             $is"
		run convert "through.$ending" through.back.pt --overwrite
		status 0
		run diff --strict "$file" through.back.pt
		status 0
	done
done
for ending in pt safetensors npz; do
	run convert "$ksuit/run/2026-02-01_ab12c" "run.$ending"
	status 0
	run convert "run.$ending" "run-$ending/" --verify
	status 0
	run diff "run-$ending" "$ksuit/run/2026-02-01_ab12c"
	status 0
done
finish
