#!/bin/sh
# CAIMAN-ASR: the way from a training to the inference server.
. "${abs_top_srcdir:?}/tests/cli/lib.sh"

demo=$abs_top_srcdir/doc/examples/caiman
old=$FERRY_CORPUS/caiman
training=$demo/RNN-T_best_checkpoint.pt
config=$demo/config.yaml

export_to()
{
	to=$1
	shift
	run convert "$training" "$config" "$to" --to caiman/hardware \
		--map-path "/datasets=$demo/datasets" "$@"
}

# The example of the documentation.
export_to out.hw.pt --set "variant=$demo/demo.yaml"
status 0
err 'wrote out.hw.pt: 37 tensors'
run verify out.hw.pt
status 0
out 'ok: 37 tensors'
out 'caiman/hardware'
run inspect --json out.hw.pt
json_is type caiman/hardware
json_is 'facts/written by release' 1.14.0
json_is about/protocol 5
export_to again.hw.pt --set "variant=$demo/demo.yaml" --verify
status 0
run diff --strict out.hw.pt again.hw.pt
status 0

# The plan names the files that the config names, and the output.
run plan "$training" --with "config=$config" --to caiman/hardware \
	--map-path "/datasets=$demo/datasets" --set "variant=$demo/demo.yaml"
status 0
out stats/demo-winsz0.025/melmeans.pt
out sentencepieces/demo.model
out ngrams/demo/ngram.binary
out RNN-T_best_checkpoint.hw.pt

# Given files come before named ones.
run convert "$training" "$config" given.hw.pt --to caiman/hardware \
	--set "variant=$demo/demo.yaml" \
	--with "mel-means=$demo/datasets/stats/demo-winsz0.025/melmeans.pt" \
	--with "mel-vars=$demo/datasets/stats/demo-winsz0.025/melvars.pt" \
	--with "sentencepiece=$demo/datasets/sentencepieces/demo.model" \
	--with "ngram=$demo/datasets/ngrams/demo/ngram.binary"
status 0
run diff --strict out.hw.pt given.hw.pt
status 0

# What stands in the way, each with its own words.
export_to no.hw.pt
status 3
err 'has the names and shapes of no model that release 1.14.0 takes (base, large)'
run convert "$training" "$config" no.hw.pt --to caiman/hardware
status 1
err 'directory /datasets/stats/demo-winsz0.025 of the mel statistics does not exist'
err --map-path
run convert "$training" no.hw.pt --to caiman/hardware
status 3
err 'give it with --with config=FILE'
# A config where the output should stand.
for to in '' '--to caiman/hardware'; do
	run plan "$training" "$config" $to
	status 3
	err "hint: $config is a 'caiman/config', and the last operand is the"
	err "output: ferry plan $training $config OUT --to caiman/hardware"
	err '--default-name in the place of OUT'
	no_err 'hint: ferry plan --allow-loss'
done
export_to no.hw.pt --set release=1.8.0
status 1
err '4 violations: input_val.filterbank_features.stats_path is not known'
export_to no.hw.pt --set release=next
status 2
err '--set version=NUMBER'
absent no.hw.pt

# More violations than an error has room for are each told, as findings.
{
	cat "$config"
	for i in 10 11 12 13 14 15 16 17 18 19 20; do
		echo "section_that_no_release_knows_$i: 1"
	done
} >many.yaml
run convert "$training" many.yaml no.hw.pt --to caiman/hardware \
	--map-path "/datasets=$demo/datasets" --set "variant=$demo/demo.yaml"
status 1
err '11 violations, the first: section_that_no_release_knows_10 is not known'
err 'violation: section_that_no_release_knows_20: is not known to release 1.14'
run convert --json many.yaml no.yaml --to caiman/inference-config
status 1
json_is findings/0/path section_that_no_release_knows_10
json_is findings/10/path section_that_no_release_knows_20
absent no.hw.pt

# The n-gram, by its directory too.
sed '/ngram_path/s/ngrams.*/none/' "$config" >elsewhere.yaml
run convert "$training" elsewhere.yaml ngram.hw.pt --to caiman/hardware \
	--map-path "/datasets=$demo/datasets" --set "variant=$demo/demo.yaml" \
	--set ngram-path=/datasets/ngrams/demo
status 0
run diff --strict out.hw.pt ngram.hw.pt
status 0
mkdir arpa && : >arpa/ngram.arpa
export_to no.hw.pt --set "variant=$demo/demo.yaml" --set ngram-path=arpa
status 3
err 'arpa/ngram.arpa does not end in .binary'

# A template that nobody filled in is told as one, before any file is sought.
sed 's|demo.model|SENTENCEPIECE.model|; s|demo-winsz0.025|STATS_SUBDIR|
	s|ngrams/demo|ngrams/NGRAM_SUBDIR|
	s|max_duration:.*|max_duration: MAX_DURATION|' "$config" >template.yaml
run convert "$training" template.yaml no.hw.pt --to caiman/hardware
status 1
err 'config: 3 violations: tokenizer.sentpiece_model still has SENTENCEPIECE'
err 'ngram.ngram_path still has NGRAM_SUBDIR: the config is a template'
absent no.hw.pt
run convert "$training" template.yaml filled.hw.pt --to caiman/hardware \
	--set "variant=$demo/demo.yaml" --set skip-ngram=yes \
	--with "mel-means=$demo/datasets/stats/demo-winsz0.025/melmeans.pt" \
	--with "mel-vars=$demo/datasets/stats/demo-winsz0.025/melvars.pt" \
	--with "sentencepiece=$demo/datasets/sentencepieces/demo.model"
status 0
err 'note: tokenizer.sentpiece_model: still has SENTENCEPIECE'

# A model of other sizes than its config says is told, and not written.
export_to no.hw.pt --set skip-tensor-check=yes \
	--with "mel-means=$old/datasets/stats/tiny-winsz0.025/melmeans.pt"
status 3
err 'has 5 values, but n_filt is 16'
absent no.hw.pt

# Pieces.
run convert out.hw.pt inference.yaml --to caiman/inference-config
status 0
run convert "$config" own.yaml --to caiman/inference-config
status 0
cmp -s inference.yaml own.yaml || fail 'the configs differ'
run verify inference.yaml
status 0
out caiman/inference-config
run convert out.hw.pt pieces.model --select sentpiece_model --to-format raw
status 0
cmp -s pieces.model "$demo/datasets/sentencepieces/demo.model" ||
	fail 'the pieces differ'
run convert out.hw.pt ngram.binary --select ngram.binary --to-format raw
status 0
cmp -s ngram.binary "$demo/datasets/ngrams/demo/ngram.binary" ||
	fail 'the n-grams differ'
run convert out.hw.pt weights.safetensors --to state-dict
status 0
run convert out.hw.pt melmeans.pt --select melmeans
status 0
run diff melmeans.pt "$demo/datasets/stats/demo-winsz0.025/melmeans.pt"
status 0

# Old ones become new, and are good then.
for release in 1.4 1.8 1.11; do
	run convert "$old/hardware-$release.pt" "new-$release.hw.pt" --upgrade
	status 0
	run verify "new-$release.hw.pt"
	status 0
done
run verify "$old/hardware-1.8.pt"
status 4
out 'state_dict.joint_fc.weight: no such tensor is expected'
run convert "$old/training-1.5.pt" t.pt --upgrade
status 2
err '--set norm-weight=W'
run convert "$old/training-1.5.pt" "$old/config.yaml" one.hw.pt \
	--to caiman/hardware --upgrade --set norm-weight=1 \
	--set "variant=$old/tiny.yaml" \
	--map-path "/datasets=$old/datasets"
status 0
run diff one.hw.pt "$old/hardware-1.14.hw.pt"
status 0

# Averages are of the EMA too, and of a training not begun.
run average "$training" "$training" mean.pt
status 0
run inspect --json mean.pt
json_is type caiman/training
json_is facts/epoch 0
json_is facts/optimizer 'none, as of an averaged checkpoint'
run average "$old/training-1.6.pt" "$old/training-1.6.pt" no.pt
status 1
err 'has no ema_state_dict'

# Trainings of releases that kept no tokenizer_kw have a mean without.
run average "$old/training-1.5.pt" "$old/training-1.5.pt" mean-1.5.pt
status 0
err 'no checkpoint has a tokenizer_kw, as of release 1.5 and before'

# A config that is none of the loader's.
sed 's/  enc_n_hid: 16/  enc_n_hid: 16\n  more: 1/; s/window: hann/windows: x/' \
	"$config" >bad.yaml
run verify bad.yaml
status 4
out 'rnnt.more: is not known'
out 'input_val.filterbank_features.window: is missing'
out 'input_val.filterbank_features.windows: is not known to any release'

# A config or a checkpoint by the rules of a release.
run verify "$old/config.yaml" --set release=1.6
status 4
out 'input_val.filterbank_features.stats_path: is not known to release 1.6.0'
out 'tokenizer.sampling: is not known to release 1.6.0'
out 'ngram: is not known to release 1.6.0'
out '4 violations'
run verify "$old/config.yaml" --set release=1.13
status 0
run verify inference.yaml --set release=1.6
status 0
run verify "$old/config.yaml" --set release=1.4
status 2
err 'release 1.4.0 has no schema to check a config by: give 1.6.0 or newer'
run verify "$old/config.yaml" --set realease=1.4
status 2
err "setting 'realease=1.4' is not one of reading yaml or checking caiman/config"
run verify "$old/hardware-1.11.pt" --set release=1.14
status 0
run verify "$old/hardware-1.11.pt" --set release=1.8
status 4
out 'version: is 1.11.0, but the checkpoint is to be one of release 1.8.0'
err 'ngram: is no key of release 1.8.0'
run verify "$old/hardware-1.8.pt" --set release=1.11
status 4
out 'ngram: is missing: release 1.11.0 has it'
out 'melalpha: must be 0.0 in a checkpoint of release 1.11.0: it is 0.001'
run verify "$old/training-1.6.pt" --set release=1.9
status 4
out 'logmel_norm_weight: is missing: release 1.9.0 has it'
run verify "$old/training-1.0.pt" --set release=1.2
status 4
out 'optimizer.param_groups: has 3 groups, but release 1.2.0 has 5'
run verify "$old/config.yaml" --set release
status 2
err '--set needs KEY=VALUE'
run types --options caiman/hardware
status 0
out '--set release='

finish
