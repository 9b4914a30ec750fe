#!/bin/sh
# AudioCraft's checkpoints: recognised, explained, exported, wrapped, edited.
. "${abs_top_srcdir:?}/tests/cli/lib.sh"

corpus=$FERRY_CORPUS/audiocraft
lm=$corpus/musicgen/checkpoint.th
codec=$corpus/compression/checkpoint.th

# What they are.
is()
{
	run inspect --json "$1"
	status 0
	json_is type "$2"
}
is "$lm" audiocraft/training
is "$codec" audiocraft/training
is "$corpus/fsdp/checkpoint_2.th" audiocraft/training
is "$corpus/fsdp/checkpoint_2.th.1" audiocraft/training
is "$corpus/old/checkpoint_best.th" audiocraft/training
is "$corpus/exports/state_dict.bin" audiocraft/export-lm
is "$corpus/exports/legacy.bin" audiocraft/export-lm
is "$corpus/exports/0a1b2c3d.th" audiocraft/export-lm
is "$corpus/exports/compression_state_dict.bin" audiocraft/export-compression
is "$corpus/exports/reference.bin" audiocraft/export-compression
is "$corpus/packs/mbd.th" audiocraft/diffusion
is "$corpus/seal/generator_base.pth" audiocraft/audioseal
json_is facts/part generator
json_is 'facts/message bits' 4
is "$corpus/seal/detector_base.pth" audiocraft/audioseal
json_is facts/part detector
json_is 'facts/message bits' 4

run inspect "$lm"
out 'solver           musicgen'
out 'dim 8, 1 layers, 2 heads, 4 codebooks of 6'
out 'DictConfig of OmegaConf 2.2 or 2.3, 38 values, struct'
out 'sig              0a1b2c3d'
out 'last valid       ce 3.25, ppl 25.8'
out 'best_state       24 tensors, 1352 elements, bfloat16'
out 'model            24 tensors, 1352 elements, float32'
run inspect "$corpus/fsdp/checkpoint_2.th.1"
out 'of epoch 2, shard of rank 1'
out 'a shard by its name'
run inspect "$corpus/exports/0a1b2c3d.th"
out '0.0.x, by the missing version'

# What loaders ask of them.
for good in "$lm" "$codec" "$corpus/fsdp/checkpoint_2.th" \
	"$corpus/exports/state_dict.bin" "$corpus/exports/0a1b2c3d.th" \
	"$corpus/exports/reference.bin" "$corpus/packs/mbd.th" \
	"$corpus/seal/generator_base.pth" "$corpus/seal/detector_base.pth"
do
	run verify "$good"
	status 0
done
run verify "$corpus/broken/shapes.th"
status 4
out "best_state.model.emb.0.weight: 'emb.0.weight' has another shape in model"
out "best_state.model.extra: 'extra' is not in model: loading the best state fails"
out "'emb.0.weight' is of shape 3 x 3, where the configuration gives 7 x 8"
out "'linears.3.weight' is missing: the configuration asks for it"
err '1 of 24 names in model are not in best_state.model'
run verify "$corpus/broken/codec.bin"
status 4
out 'best_state.encoder.model.7.lstm.bias_hh_l0: is missing'
out 'best_state.decoder.model.3.convtr.convtr.weight_g: shape is [8, 1, 1], but'
out 'best_state.quantizer.vq.layers.2._codebook.inited: no such tensor is expected'
out ': 3 violations'
run verify "$corpus/exports/compression_state_dict.bin" \
	--expect audiocraft/encodec --order --dim A=1 --dim D=8 --dim F=4 \
	--dim R=2 --dim R0=4 --dim R1=2 --dim L=1 --dim Q=2 --dim B=16
status 0
run verify "$corpus/exports/compression_state_dict.bin" \
	--expect audiocraft/encodec-musicgen-32khz
status 4
run verify "$corpus/broken/text.th"
status 4
out 'xp.cfg is of kind string: in a training checkpoint it is a DictConfig'
run verify "$corpus/broken/config.bin"
status 4
out "xp.cfg: the configuration can't be read: xp.cfg: line 2 column 1"
run verify "$corpus/broken/nothing.th"
status 4
out 'neither best_state nor fsdp_best_state is there'
run verify "$corpus/fsdp/checkpoint_2.th.1"
err 'this is the shard of a rank above 0'
run verify "$corpus/old/checkpoint_best.th"
err '2 tensors of condition_provider stand beside model'
err 'compression_model stands beside model'

# Exports, equal to those AudioCraft's own exporters made.
equal()
{
	run diff "$1" "$2"
	status 0
}
run convert "$lm" a.bin --to audiocraft/export-lm
status 0
err "'optimizer' is left behind"
err 'xp.cfg becomes text, which says nothing of flags (1)'
equal a.bin "$corpus/exports/state_dict.bin"
run convert "$codec" b.bin --to audiocraft/export-compression
status 0
equal b.bin "$corpus/exports/compression_state_dict.bin"
run convert "$corpus/fsdp/checkpoint_2.th" c.th --to audiocraft/export-lm \
	--set version=0.0.2 --allow-loss=shape
status 0
run inspect c.th
out '0.0.x, by the missing version'
run convert "$corpus/fsdp/checkpoint_2.th" d.th --to audiocraft/export-lm \
	--set legacy=yes --delete-config transformer_lm.layer_drop
status 1
err 'transformer_lm.layer_drop is not in the configuration'
run convert "$lm" d.th --to audiocraft/export-lm --set version=0.0.2
status 3
err 'exporters of 0.0.x take nothing else'
run convert "$lm" l.bin --to audiocraft/export-lm --set legacy=yes
status 3
err "'emb.0.weight' is of shape 7 x 8, where the configuration gives 2049 x 8"
run convert "$lm" l.bin --to audiocraft/export-lm --set legacy=yes \
	--allow-loss=shape
status 0
equal l.bin "$corpus/exports/legacy.bin"
run convert b.bin r.bin --set pretrained=facebook/encodec_32khz
status 3
run convert b.bin r.bin --set pretrained=facebook/encodec_32khz \
	--allow-loss=empty
status 0
no_err "'version' is left behind"
equal r.bin "$corpus/exports/reference.bin"
run convert b.bin r2.bin --set pretrained=//pretrained/facebook/encodec_32khz \
	--allow-loss=empty
status 2
err 'loaders take the name alone; leave //pretrained/ out'
run convert "$codec" r3.bin --to audiocraft/export-compression --set legacy=yes
status 0
err "'best_state' is left behind"
no_err "'ema' is left behind"
run convert r.bin r.th --to audiocraft/training
status 3
err 'the file only names a pretrained model'

# What can't be exported.
run convert "$codec" x.bin --to audiocraft/export-lm
status 3
err 'the run trains a compression model: it is no language model'
run convert "$corpus/fsdp/checkpoint_2.th.1" x.bin --to audiocraft/export-lm
status 3
err 'fsdp_best_state.model is empty: this is the shard of a rank above 0; take that of rank 0, which is checkpoint_2.th'
run convert "$corpus/fsdp/checkpoint_2.th.1" x.bin --to state-dict
status 3
err 'take that of rank 0, which is checkpoint_2.th'
run convert "$corpus/broken/nothing.th" x.bin --to audiocraft/export-lm
status 3
err 'best_state.model is missing or empty'
absent x.bin

# Wrapped back, and out again.
run convert a.bin w.th --to audiocraft/training
status 0
run verify w.th
status 0
run convert w.th a2.bin --to audiocraft/export-lm
status 0
equal a.bin a2.bin
run convert a.bin s.th --to audiocraft/training --set stereo=yes
status 0
run inspect s.th best_state.model
out 'linears.7.weight'
out 'emb.7.weight'
run convert s.th s.bin --to audiocraft/export-lm
status 3
err 'xp.cfg is missing: an export carries the configuration'

# State dicts, and the names of others.
run convert a.bin a.safetensors --to state-dict
status 0
run convert w.th w.safetensors --to state-dict
status 0
equal a.safetensors w.safetensors
run convert "$codec" m.safetensors --to state-dict --set source=ema
status 0
run convert "$codec" m.safetensors --to state-dict --set source=other \
	--overwrite
status 2
err 'source=other: give best, model, best-state, fsdp-best-state or ema'
# Weights become an export of what their configuration trains, and a chain through
# it is the only one; where nothing tells, both ways are named.
run convert a.bin lm.safetensors --to state-dict
status 0
printf 'solver: musicgen\n' >lm.yaml
run convert lm.safetensors way.th --to audiocraft/training --with config=lm.yaml
status 0
run convert lm.safetensors way.bin --to audiocraft/export-compression \
	--with config=lm.yaml
status 3
err 'the run trains a language model: it is no compression model; convert --to'
printf 'solver: another\n' >another.yaml
run convert lm.safetensors some.safetensors --rename '(.*)=>x.$1'
status 0
run convert some.safetensors some.th --to audiocraft/training \
	--with config=another.yaml
status 3
err 'two chains lead to'
err 'choose with --to audiocraft/export-compression or --to audiocraft/export-lm'
absent way.bin
absent some.th
printf 'solver: compression\nsample_rate: 24000\n' >codec.yaml
run convert "$corpus/hf/encodec.pt" hf.bin \
	--to audiocraft/export-compression --with config=codec.yaml
status 0
err "names of Hugging Face's EnCodec became AudioCraft's"
run inspect hf.bin best_state
out 'decoder.model.3.convtr.convtr.weight_v'
out 'decoder.model.0.conv.conv.weight_v'
out 'encoder.model.1.block.1.conv.conv.weight_v'
out 'quantizer.vq.layers.0._codebook.embed'

# The configuration on the way.
run convert "$lm" e.th --set-config optim.lr=1e-5 \
	--set-config 'optim.adam.betas=[0.5]' \
	--delete-config continue_from
status 0
run convert e.th e.bin --to audiocraft/export-lm
status 0
grep -aqx '  lr: 1.0e-05' e.bin || fail 'the text has no new lr'
run convert "$lm" e2.th --set-config optim.momentum=0
status 2
err 'optim.momentum is not in the configuration, which is a struct'
err 'beside it there is lr, updates_per_epoch, adam'
run convert "$lm" e2.th --set-config optim.momentum=0 --set force-add=yes
status 0
err 'optim.momentum was not in the configuration: added'
run convert "$lm" e3.th --delete-config optim.nothing
status 2
err 'optim.nothing is not in the configuration'
err 'beside it there is lr, updates_per_epoch, adam'
run convert a.bin e3.bin --delete-config optim.lr.deep
status 2
absent e3.bin
run convert a.bin e4.bin --set-config 'device=[1'
status 2
err "set-config: the value '[1' is no YAML"
run convert a.bin e4.bin --set-config 'device=${optim.lr'
status 2
err "device: '\${optim.lr' begins an interpolation that is none"
absent e4.bin
run convert "$lm" e4.bin --to audiocraft/export-lm --set force-add=yes \
	--set-config 'conditioners={wav: {model: chroma_stem}}'
status 3
err "'condition_provider.conditioners.wav.output_proj.weight' is missing"
absent e4.bin

# The name of a shard ends in its rank.
run convert "$corpus/fsdp/checkpoint_2.th.1" checkpoint_9.th.1 \
	--set-config optim.lr=1
status 0
run inspect checkpoint_9.th.1
out 'of epoch 9, shard of rank 1'
run convert "$corpus/fsdp/checkpoint_2.th.1" checkpoint_9.1
status 3
err 'has no ending that says its format'

# Watermarking.
run convert "$corpus/seal/generator_base.pth" seal.safetensors --to state-dict
status 0
run inspect --tensors seal.safetensors
out 'msg_processor.msg_processor.weight'
run convert "$corpus/seal/detector_base.pth" seal.pth \
	--drop '^detector\.1\.bias'
status 0
run verify seal.pth
status 4
out "'detector.1.bias' is missing, or not as long as detector.1.weight has"

# Modules to begin anew.
run convert "$lm" tune.th \
	--drop '^condition_provider\.conditioners\.description\.'
status 0
run verify tune.th
err '2 of 24 names in model are not in best_state.model'
err 'with FSDP it fails, and loaders for inference refuse it'

# Under FSDP nothing is begun anew: the state is loaded strictly.
run convert "$corpus/fsdp/checkpoint_2.th" strict.th \
	--drop '^condition_provider\.conditioners\.description\.'
status 0
err '2 of 24 names in model are not in fsdp_best_state.model: a run with FSDP'
run verify strict.th
status 4
out 'loads it strictly and fails; one without gives them fresh values'

# Layouts of old.
run convert "$corpus/old/checkpoint_best.th" up.th --upgrade
status 0
err 'condition_provider went into model: 2 tensors'
err 'compression_model is left out'
run verify up.th
status 0
no_err condition_provider
run convert "$corpus/exports/0a1b2c3d.th" up.bin --upgrade
status 0
err 'version was missing, as in exports of 0.0.x: it says 1.4.0a2 now'
run inspect up.bin
out 'version          1.4.0a2'

# Saves that were cut off.
mkdir run
cp "$lm" run/checkpoint.th.tmp
run inspect run/checkpoint.th.tmp
status 0
out 'a save that was cut off: without checkpoint.th.tmp.done nothing says'
run verify run/checkpoint.th.tmp
status 4
run convert run/checkpoint.th.tmp x.bin --to audiocraft/export-lm
status 3
err 'unfinished: checkpoint.th.tmp is a save that was cut off'
absent x.bin
for how in '' --weights --upgrade '--drop ^emb' '--to state-dict' \
		'--to-format safetensors' '--set-config optim.lr=1'; do
	run convert run/checkpoint.th.tmp x.th $how
	status 3
	err 'unfinished: checkpoint.th.tmp is a save that was cut off'
	absent x.th
done
run average "$lm" run/checkpoint.th.tmp x.th
status 3
err 'unfinished: checkpoint.th.tmp is a save that was cut off'
absent x.th
run convert run/checkpoint.th.tmp x.bin --to audiocraft/export-lm \
	--allow-loss=unfinished
status 0
err 'warning: checkpoint.th.tmp is a save that was cut off'
: >run/checkpoint.th.tmp.done
run inspect run/checkpoint.th.tmp
out 'a whole save that was not renamed'
run convert run/checkpoint.th.tmp y.bin --to audiocraft/export-lm
status 0
err 'rename it to checkpoint.th, then delete the token'
mv run/checkpoint.th.tmp run/whole
head -c 9000 run/whole >run/checkpoint.th.tmp
run inspect run/checkpoint.th.tmp
status 1
err 'it is damaged, though checkpoint.th.tmp.done says that all of it was'
err 'delete the token, or AudioCraft puts the file in the place of checkpoint.th'
mv run/whole run/checkpoint.th.tmp
run inspect run/checkpoint.th.tmp.done
status 1
err 'the file is a token'
cp "$lm" run/checkpoint.th
run inspect run/checkpoint.th
out 'checkpoint.th.tmp beside it is newer and whole'
rm run/checkpoint.th.tmp.done
head -c 9000 "$lm" >run/checkpoint.th.tmp
run inspect run/checkpoint.th.tmp
status 1
err 'the file ends after 9000 bytes without the directory of its zip archive'
err 'the good one is checkpoint.th'
mv run/checkpoint.th.tmp run/checkpoint.th.old
cp "$lm" run/checkpoint.th.old
run inspect run/checkpoint.th
out 'checkpoint.th.old lies beside it'

finish
