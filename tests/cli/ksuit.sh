#!/bin/sh
# Files and runs of ksuit and noether, through the verbs.
. "${abs_top_srcdir:?}/tests/cli/lib.sh"

corpus=$FERRY_CORPUS/ksuit
tag=E10_U200_S800
[ -d "$corpus/models" ] || skip 'no files of noether here'

# ---- one file ----------------------------------------------------------------

for file in "$corpus"/models/*.th "$corpus"/ksuit/*.th "$corpus"/trainers/*.th
do
	run inspect --json --depth=20 "$file"
	status 0
	json
done

run verify "$corpus/models/objects_cp=last_model.th"
status 4
out 'model_config.solver: models.solvers.Solver is what weights_only=True refuses'
out 'model_config.weights: pathlib.PurePosixPath'
run verify "$corpus/ksuit/encoder_cp=last_trainer.th"
status 4
out "key 'grad_scaler' is a member of an enum"

run convert --upgrade "$corpus/models/objects_cp=last_model.th" o_cp=last_model.th
status 0
err "model_config.solver: a member of models.solvers.Solver becomes 'adam'"
err "model_config.weights: a path of pathlib becomes '/data/w.th'"
err 'model_config.eps: a scalar of numpy (f8) becomes a value of kind float'
run verify o_cp=last_model.th
status 0
run scan --strict o_cp=last_model.th
status 0

for name in encoder_cp=${tag}_model.th encoder_cp=last_model.th \
	encoder_cp=${tag}_trainer.th encoder_cp=last_trainer.th; do
	run convert --upgrade "$corpus/ksuit/$name" "$name"
	status 0
	err 'keys that were members of CheckpointKeys'
	run verify "$name"
	status 0
	run scan --strict "$name"
	status 0
done
run diff encoder_cp=${tag}_model.th encoder_cp=last_model.th
status 0
run diff encoder_cp=${tag}_trainer.th encoder_cp=last_trainer.th
status 0
run diff encoder_cp=${tag}_model.th "$corpus/models/encoder_cp=${tag}_model.th"
status 0
run diff encoder_cp=${tag}_trainer.th "$corpus/trainers/T2_cp=${tag}_trainer.th"
status 0

# What is called so and is nothing of the kind is told to be.
printf '{"a": 1}' >junk.json
for part in optim trainer model; do
	run convert junk.json junk_cp=last_$part.th
	status 0
	run verify junk_cp=last_$part.th
	status 4
	out "there is no 'state_dict' of tensors, no 'state' with 'param_groups'"
done
run inspect junk_cp=last_trainer.th
out "ksuit/trainer: the content is none; 'junk' of tag 'last' by its name"
run verify junk.json
status 0

# ---- trainers ------------------------------------------------------------------

run convert "$corpus/trainers/T0_cp=${tag}_trainer.th" t1.th --set generation=v1.1
status 0
run diff t1.th "$corpus/trainers/T1_cp=${tag}_trainer.th"
status 0
run convert t1.th t2.th --set generation=head
status 0
err "callback 1 is keyed 'BestCheckpointCallback', by what its state holds"
run diff t2.th "$corpus/trainers/T2_cp=${tag}_trainer.th"
status 0
run convert --upgrade "$corpus/trainers/two_cp=latest_trainer.th" no.th
status 3
err "callback 2 is a second 'BestCheckpointCallback', and keys must differ: name them with --set callbacks=A,B,..."
absent no.th
run convert "$corpus/trainers/other_cp=latest_trainer.th" named.th --set callbacks=history,best
status 0
run inspect --json --depth=20 named.th
json_is facts/callbacks 'history, best'

# ---- names of weights -----------------------------------------------------------

model=$corpus/models/encoder_cp=${tag}_model.th
run convert "$model" renamed.th --set keys-to-remove=norm.bias \
	--set patterns-to-remove=running --set 'patterns-to-rename=proj=>lin' \
	--set patterns-to-rename=norm.
status 0
err "'norm.weight' is renamed 'weight'"
run inspect --tensors renamed.th
out 'lin.weight'
out 'num_batches_tracked'
no_out 'norm.'
run convert "$model" no.th --set keys-to-remove=head.bias
status 1
err "keys-to-remove: 'head.bias' is no name of the weights"
run convert "$model" no.th --set patterns-to-instantiate=proj
status 2
err 'patterns-to-instantiate takes weights of a target: give it with --with target=FILE'
run convert "$model" inst.th --set patterns-to-instantiate=proj \
	--with "target=$corpus/models/objects_cp=last_model.th"
status 0
err "'proj.bias' is the target's"
run convert "$corpus/models/encoder_cp=${tag}_optim.th" optim.th --set 'patterns-to-rename=proj=>lin'
status 0
run inspect --depth=3 optim.th
out 'lin.weight'
run verify optim.th
status 0

# ---- state dicts -----------------------------------------------------------------

run convert "$model" w.safetensors --to state-dict
status 0
printf 'name: encoder\ndim: 4\n' >config.yaml
run convert w.safetensors made.th --to ksuit/model --with config=config.yaml \
	--set config-kind=schemas.EncoderConfig --set kind=models.Encoder \
	--set tag=$tag --set run-id=2026-02-01_ab12c
status 0
run verify made.th
status 0
run inspect --json --depth=20 made.th
json_is facts/iteration 'epoch 10, update 200, sample 800'
json_is 'facts/config kind' schemas.EncoderConfig
run convert w.safetensors no.th --to ksuit/model --with config=config.yaml
status 2
err 'config-kind=module.QualName'
run convert w.safetensors ema.th --to ksuit/ema --set ema=2
status 2
err 'averaged weights have a factor from 0 to 1'
run convert w.safetensors ema.th --to ksuit/ema --set ema=0x1p-1
status 2
err 'averaged weights have a factor from 0 to 1'
run convert w.safetensors ema.th --to ksuit/ema --set ema=nan
status 2
run convert w.safetensors ema.th --to ksuit/ema --set ema=0.99
status 0
run convert ema.th fitted.th --to ksuit/model --with "target=$model"
status 0
run convert fitted.th fitted.safetensors --to state-dict
status 0
run diff fitted.safetensors w.safetensors
status 0

# What is missing on ways that lead elsewhere is not told.
run plan "$model" no.pt --to caiman/hardware
err "no conversion leads from 'ksuit/model' to 'caiman/hardware'"
run plan "$model" no.pt --to audiocraft/export-lm
err "conversion 'audiocraft-state-dict-to-export-lm' needs a file as config"

# ---- a run -----------------------------------------------------------------------

run_dir=$corpus/run/2026-02-01_ab12c
for where in "$run_dir" "$run_dir/train" "$run_dir/train/checkpoints"; do
	run inspect "$where"
	status 0
	out 'ksuit/run'
	out 'autoencoder.encoder ema=0.99'
	out 'autoencoder trainer'
done
run inspect "$run_dir"
out 'finetune last    epoch 10, update 200, sample 800: head model'
run convert "$run_dir" composed.th --to ksuit/model --set tag=E10
status 0
run inspect --tensors composed.th
out 'encoder.norm.running_mean'
out 'decoder.proj.weight'
run convert "$run_dir" encoder.th --to ksuit/model --set tag=S800 --set model=autoencoder.encoder
status 0
run diff encoder.th "$run_dir/train/checkpoints/autoencoder.encoder_cp=${tag}_model.th"
status 0
run convert "$run_dir" no.th --to ksuit/model --set tag=E11
status 1
err "the run has no file of tag 'E11'; it has last, $tag, E5_U100_S400, latest"
run convert "$run_dir" no.th --to ksuit/model
status 2
err 'the run has models of several tags or stages'
run convert "$run_dir" average.th --to ksuit/ema --set tag=latest
status 0
run inspect average.th
out 'ema factor'

run plan "$run_dir" s.safetensors --to state-dict --set tag=latest
status 0
out 'ksuit-run-to-model'
run convert "$run_dir" s.safetensors --to state-dict --set tag=latest --set ema=0.99
status 0
err "'ema' is left behind"

# The weights alone: of several models each under its file's name.
run convert "$run_dir" weights.safetensors --weights --set tag=latest
status 0
err 'stages.train.autoencoder.decoder_cp=latest_optim.th, 184 bytes; stages.train.autoencoder.encoder_cp=latest_optim.th, 184 bytes, and 153 values left out'
run inspect --tensors weights.safetensors
out 'train/checkpoints/autoencoder.encoder_cp=latest_ema=0.99_model.th:proj.bias'
run convert "$run_dir" no/ --weights --set tag=latest
status 3
err "no/: a directory is made of a run's files, and this is none of them: give the output the name of a file"

# ---- what noether's loaders would read -----------------------------------------------

run inspect --json "$run_dir"
json_is 'facts/resume train' 'from latest: models 2, optimizers 2, averages 2, and a trainer'
json_is 'facts/resume finetune' "no: a ResumeInitializer reads 'head_cp=latest_model.th', and there is none: choose another tag or model"
run convert "$run_dir" resumed/ --set loader=resume --set stage=train
status 0
[ "$(find resumed -type f | wc -l)" -eq 7 ] || fail 'not seven files'
run convert "$run_dir" no/ --set loader=resume
status 2
err 'the run has several stages, and a loader reads of one: choose with --set stage=NAME or run=NAME'
run convert "$run_dir" no/ --set loader=resume --set stage=train --set tag=U100
status 1
err "a ResumeInitializer reads 'autoencoder_cp=E5_U100_S400_trainer.th', and there is none"
cp -r "$run_dir" trained
cp trained/train/checkpoints/autoencoder_cp=latest_trainer.th \
	trained/train/checkpoints/autoencoder_cp=E5_U100_S400_trainer.th
run convert trained resumed5/ --set loader=resume --set stage=train --set tag=U100
status 0
no_err "noether's command line"
no_err "no trainer's file"
present resumed5/train/checkpoints/autoencoder.encoder_cp=E5_U100_S400_model.th \
	resumed5/train/checkpoints/autoencoder_cp=E5_U100_S400_trainer.th \
	resumed5/train/checkpoints/autoencoder.encoder_cp=latest_ema=0.99_model.th
[ "$(find resumed5 -type f | wc -l)" -eq 5 ] || fail 'not five files'
run plan trained x/ --set loader=resume --set stage=train --set tag=E5_U100_S400
status 0
err "noether's command line takes a tag that begins with E, U or S for a number"
run convert "$run_dir" no/ --set loader=previous-run --set stage=train
status 2
err 'a PreviousRunInitializer is told the tag: give it with --set tag=TAG'
run convert "$run_dir" previous/ --set loader=previous-run --set stage=train --set tag=latest
status 0
[ "$(find previous -type f | wc -l)" -eq 2 ] || fail 'not two models alone'
run convert "$run_dir" no/ --set loader=previous-run --set stage=train --set tag=E5_U100
status 2
err "tag 'E5_U100' has two of epoch, update and sample, which no loader takes: give one, or all three"
best=best.loss.val.total.tolerance=5
run convert "$run_dir" no/ --set loader=previous-run --set stage=train --set tag=$best
status 1
err "reads 'autoencoder.decoder_cp=best_model.loss.val.total.tolerance=5_model.th', and there is none"
run convert "$run_dir" best.th --to ksuit/model --set loader=previous-run --set stage=train --set tag=$best \
	--set model=autoencoder.encoder
status 0
run convert "$run_dir" info.th --to ksuit/ema --set loader=previous-run --set stage=train --set tag=latest \
	--set info=ema=0.99
status 0
run diff info.th average.th
status 0
run convert "$run_dir" no/ --set loader=other
status 2
err "option loader is 'other': give resume or previous-run"
absent no

# Several runs in one directory: one is chosen.
mkdir runs
cp -r "$run_dir" runs
mkdir -p runs/2026-03-01_zz99z/train/checkpoints
run convert w.safetensors other.th --to ksuit/model --set tag=last --set run-id=2026-03-01_zz99z
status 0
cp other.th runs/2026-03-01_zz99z/train/checkpoints/other_cp=last_model.th
run inspect --json runs
json_is facts/runs '2026-02-01_ab12c, 2026-03-01_zz99z'
run inspect runs
out '2026-03-01_zz99z/train last other model'
run convert runs no.th --to ksuit/model --set tag=last
status 2
err 'choose with --set tag=TAG, stage=NAME and run=NAME'
run convert runs one.th --to ksuit/model --set tag=last --set run=2026-03-01_zz99z
status 0
run diff one.th other.th
status 0

# ---- a run, written -----------------------------------------------------------------

run convert "$run_dir" latest/ --set tag=latest
status 0
for leaf in encoder decoder; do
	present latest/train/checkpoints/autoencoder.${leaf}_cp=latest_model.th \
		latest/train/checkpoints/autoencoder.${leaf}_cp=latest_optim.th \
		latest/train/checkpoints/autoencoder.${leaf}_cp=latest_ema=0.99_model.th
done
present latest/train/checkpoints/autoencoder_cp=latest_trainer.th
[ "$(find latest -type f | wc -l)" -eq 7 ] || fail 'not seven files'
run diff latest/train/checkpoints/autoencoder.encoder_cp=latest_optim.th \
	"$run_dir/train/checkpoints/autoencoder.encoder_cp=latest_optim.th"
status 0

run convert "$run_dir" head/ --upgrade --verify
status 0
err 'the file is called autoencoder.encoder_ema=0.99_cp=latest_model.th'
present head/finetune/checkpoints/head_cp=last_model.th \
	head/train/checkpoints/autoencoder.encoder_ema=0.99_cp=latest_model.th \
	head/train/checkpoints/autoencoder.encoder_cp=best_model.loss.val.total.tolerance=5_model.th
run inspect head/train/checkpoints/autoencoder_cp=latest_trainer.th
out 'T2: noether after v1.1'
run inspect head/train/checkpoints/autoencoder.encoder_cp=best_model.loss.val.total.tolerance=5_model.th
out 'best_model.loss.val.total.tolerance=5'
run verify head
status 0

run convert latest renamed/ --set 'patterns-to-rename=proj=>lin'
status 0
run inspect --depth=3 renamed/train/checkpoints/autoencoder.encoder_cp=latest_optim.th
out 'lin.weight'
no_out 'proj.weight'
run inspect --tensors renamed/train/checkpoints/autoencoder.encoder_cp=latest_model.th
out 'lin.weight'
# Rules act on each model, and optimizers follow, as with the settings.
run convert latest ruled/ --rename '^proj=>lin' --verify
status 0
err "rule rename '^proj' => 'lin'"
err 'autoencoder.encoder_cp=latest_optim.th: names of 2 parameters of the optimizer follow'
for name in autoencoder.encoder_cp=latest_optim.th autoencoder.decoder_cp=latest_optim.th \
	autoencoder_cp=latest_trainer.th; do
	run diff "ruled/train/checkpoints/$name" "renamed/train/checkpoints/$name"
	status 0
done
run convert latest less/ --drop '^norm' --verify
status 0
err 'autoencoder.encoder_cp=latest_optim.th: 2 parameters leave the optimizer, with their states'
run verify less
status 0
run convert latest/train/checkpoints/autoencoder.encoder_cp=latest_optim.th alone.th --rename '^proj=>lin'
status 0
run diff alone.th renamed/train/checkpoints/autoencoder.encoder_cp=latest_optim.th
status 0
run convert latest joined.safetensors --to state-dict --rename '^encoder\.=>e.'
status 0
run inspect --tensors joined.safetensors
out 'e.proj.weight'

run convert latest no/ --set keys-to-remove=head.bias
status 1
err "keys-to-remove: 'head.bias' is no name of the weights"
absent no

run convert composed.th apart/ --to ksuit/run --set name=autoencoder --set stage=train --verify
status 0
for leaf in encoder decoder; do
	name=train/checkpoints/autoencoder.${leaf}_cp=${tag}_model.th
	run diff --strict "apart/$name" "$run_dir/$name"
	status 0
done
# Averages likewise: under their factor, and plain dicts as they were.
run convert "$run_dir" averages.th --to ksuit/ema --set tag=latest
status 0
run convert averages.th averages/ --to ksuit/run --set name=autoencoder --set stage=train --verify
status 0
for leaf in encoder decoder; do
	run diff --strict "averages/train/checkpoints/autoencoder.${leaf}_ema=0.99_cp=latest_model.th" \
		"$run_dir/train/checkpoints/autoencoder.${leaf}_cp=latest_ema=0.99_model.th"
	status 0
done
run convert w.safetensors tiny.th --to ksuit/ema --set ema=1e-05
status 0
run convert tiny.th tiny/ --to ksuit/run --set name=m --verify
status 0
present tiny/checkpoints/m_ema=1e-05_cp=latest_model.th
# Files have data of their own, though it is that of one target.
run convert latest own/ --set patterns-to-instantiate=proj \
	--with "target=$corpus/models/objects_cp=last_model.th" --verify
status 0
err 'autoencoder.decoder_cp=latest_ema=0.99_model.th: '"'proj.bias' is the target's"
# What one part has otherwise than the others is kept for it.
mkdir -p mixed/train/checkpoints
cp "$run_dir/train/checkpoints/autoencoder.encoder_cp=${tag}_model.th" mixed/train/checkpoints
run convert "$run_dir/train/checkpoints/autoencoder.decoder_cp=${tag}_model.th" w.pt --to state-dict
status 0
run convert w.pt "mixed/train/checkpoints/autoencoder.decoder_cp=${tag}_model.th" --to ksuit/model \
	--set tag=$tag --set iteration=E9_U180_S720 --set run-id=2026-01-01_zzzzz
status 0
run convert mixed mixed.th --to ksuit/model
status 0
run convert mixed.th unmixed/ --to ksuit/run --set name=autoencoder --set stage=train --verify
status 0
for leaf in encoder decoder; do
	name=train/checkpoints/autoencoder.${leaf}_cp=${tag}_model.th
	run diff "unmixed/$name" "mixed/$name"
	status 0
done
run convert composed.th no/ --to ksuit/run --set name=autoencoder --set submodels=encoder
status 3
err '7 of 14 weights belong to one submodel each'
finish
