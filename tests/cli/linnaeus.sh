#!/bin/sh
# linnaeus: what a person does with its checkpoints and pretrained weights.
. "${abs_top_srcdir:?}/tests/cli/lib.sh"

files=$FERRY_CORPUS/linnaeus

run inspect "$files/ckpt_epoch_5.pth"
status 0
out 'linnaeus/training: model, epoch, lr_scheduler and the CfgNode of a run'
out 'convolutional 2x4 1x8, RoPE 2x12 1x16'
no_out 'pretrained source'
run verify "$files/ckpt_epoch_5.pth"
status 0

run models
out 'linnaeus/mFormerV0'
out 'linnaeus/mFormerV1 '
out 'linnaeus/mFormerV1-guide'
no_out 'rules, when no option is set'
run models linnaeus/mFormerV0
status 0
out '--set img-size=384'
out 'DATA.IMG_SIZE, for which relative position biases are resized'
out '    state_dict_ema'
out '    the whole file'
out "    drop 'meta_'"
out '  strict: no'
no_out 'linnaeus/mFormerV1'
run models linnaeus/mFormer0
status 3
err "'linnaeus/mFormer0' is not known (did you mean 'linnaeus/mFormerV0'?); ferry models lists them"

# The metadata of the code, of the guide, and where they differ.
run convert "$files/ckpt_epoch_5.pth" v1.safetensors --model linnaeus/mFormerV1
status 0
err "rule drop 'head.': 10 of 108 names dropped"
err "rule drop 'norm.': 30 of 98 names dropped"
err 'semantics=documented would keep or make 18 names: stages.2.0.norm1.weight'
run diff v1.safetensors "$files/mFormerV1.pth"
out '62 tensors equal'
run convert "$files/ckpt_epoch_5.pth" guide.safetensors \
	--model linnaeus/mFormerV1-guide --set semantics=documented
status 0
err "rule drop 'head.': 2 of 108 names dropped"
err "rule drop 'meta_': 8 of 106 names dropped"
run plan "$files/metaformer.pth" --model linnaeus/mFormerV0 \
	--set pretrained-source=metaformr
status 2
err "option pretrained-source is 'metaformr': give one of '', metaformer, stitched_convnext_ropevit"
run plan "$files/ckpt_epoch_5.pth" --model linnaeus/mFormerV1 \
	--set semantics=other
status 2
err "option semantics is 'other': give one of upstream, documented"
run plan "$files/ckpt_epoch_5.pth" x.pt --model linnaeus/mFormerV1 \
	--set sematics=upstream
status 2
err "setting 'sematics=upstream' is none of this plan"
err 'pretrained-source (handling)'

# Sizes, sources and wrapped targets.
run convert "$files/metaformer.pth" v0.pth --model linnaeus/mFormerV0 \
	--set pretrained-source=metaformer --set img-size=64
status 0
err 'to 7 x 7: 2 of 17 names resized'
err 'semantics=documented would not have 1 name: meta_1_other.weight'
run diff --tolerance 1e-5 v0.pth "$files/metaformer-V0.pth"
status 0
run convert "$files/metaformer-V0.pth" x.pth --model linnaeus/mFormerV0 \
	--set pretrained-source=metaformer
status 2
err "the first of 'model' that is there: none is"
run convert "$files/metaformer.pth" guide.pth --model linnaeus/mFormerV0 \
	--set semantics=documented --set pretrained-source=metaformer \
	--set img-size=64
status 0
err 'semantics=upstream would keep or make 1 name: meta_1_other.weight'
run diff --tolerance 1e-5 guide.pth "$files/metaformer-V0.pth"
status 1
out 'meta_1_other.weight'
run convert "$files/metaformer-V0.pth" again.pth --model linnaeus/mFormerV0 \
	--set semantics=documented --set img-size=64
status 0
run plan "$files/wrapped.pth" --model linnaeus/mFormerV1 --set target-ddp=yes
status 0
out "rule add prefix 'module.'"

# Two files.
run convert "$files/convnext.pth" stitched.pth --to linnaeus/model \
	--with ropevit="$files/ropevit.pth" --set target="$files/tiny.yaml"
status 0
err '58 of the 108 tensors of'
err '8 more would be taken with semantics=documented'
run diff stitched.pth "$files/stitched.pth"
status 0
run convert "$files/convnext.pth" ready.safetensors --to linnaeus/model \
	--with ropevit="$files/ropevit.pth" \
	--with target="$files/ckpt_epoch_5.pth" --model linnaeus/mFormerV1
status 0
run inspect ready.safetensors stem.0.weight
status 0
for semantics in upstream documented; do
	run convert "$files/convnext.pth" ddp.pth --to linnaeus/model \
		--with ropevit="$files/ropevit.pth" \
		--with target="$files/ckpt_epoch_5.pth" \
		--model linnaeus/mFormerV1 --set target-ddp=yes \
		--set semantics=$semantics
	[ $semantics = documented ] || {
		status 2
		err 'the code finds no place for any weight of two files'
	}
done
status 0
run inspect ddp.pth module.stem.0.weight
status 0
run convert "$files/convnext.pth" x.pth --to linnaeus/model
status 3
err '--with ropevit=FILE'

# What did and did not load.
run verify ready.safetensors --expect "$files/tiny.yaml"
status 4
out 'missing'
out 'head.taxa_L10.weight'
run verify "$files/ckpt_epoch_5.pth" --expect "$files/tiny.yaml"
status 0
run verify "$files/ckpt_epoch_5.pth" --expect linnaeus/mFormerV1-sm
status 4
out 'shape'
# A loader that is not strict takes what names there are, unless none fits.
run convert "$files/ckpt_epoch_5.pth" loose.pth --model linnaeus/mFormerV1 \
	--expect "$files/ckpt_epoch_5.pth"
status 0
err 'note: 46 tensors are missing: downsample_layers.0.norm.weight, '
run convert "$files/ckpt_epoch_5.pth" x.pth --model linnaeus/mFormerV1 \
	--expect "$files/wrapped.pth"
status 3
err "expected to begin with 'module.': --add-prefix=module. puts it there"
run convert "$files/ckpt_epoch_5.pth" x.pth --model linnaeus/mFormerV1 \
	--expect linnaeus/mFormerV1-sm
status 3
err 'schema: stem.0.weight: shape is [4, 3, 4, 4], but [96, 3, 4, 4] is expected'
run verify loose.pth --expect linnaeus/mFormerV1-ms
status 1
err "(did you mean 'linnaeus/mFormerV1"

# A run's own groups, with the stages that its model declares; and those.
cat >run.yaml <<'END'
MODEL: {TYPE: mFormerV1}
OPTIMIZER:
  NAME: adamw
  PARAMETER_GROUPS:
    ENABLED: true
    DEFAULT: {OPTIMIZER: sgd, WEIGHT_DECAY: 0.01}
    freqs: {FILTER: {TYPE: stage_based, STAGES: [rope_freqs]}, LR_MULTIPLIER: 0.1}
LOSS:
  GRAD_WEIGHTING:
    TASK: {TYPE: gradnorm, EXCLUDE_CONFIG: {TYPE: name, PATTERNS: [head]}}
END
run inspect "$files/ckpt_epoch_5.pth" --groups=run.yaml \
	--model=linnaeus/mFormerV1
status 0
quiet
out 'freqs: 3 parameters, 40 elements; lr_multiplier 0.1, optimizer sgd'
out '  stages.3.0.attn.freqs'
out 'gradnorm excluded: 10 parameters'
run inspect "$files/ckpt_epoch_5.pth" --groups=run.yaml
status 0
out 'freqs: 0 parameters'
err 'no stages were given, so that filters of type stage_based take no parameter'
run inspect "$files/ckpt_epoch_5.pth" --groups=linnaeus/mFormerV1
status 0
quiet
grep -qx 'stages.rope_freqs: 3 parameters, 40 elements' "$out" ||
	fail 'the stages of the model are others'
grep -qx 'heads.meta_heads: 8 parameters, .* elements' "$out" ||
	fail 'the heads of the model are others'
out 'embeddings: 2 parameters'
run inspect "$files/ckpt_epoch_5.pth" --groups=linnaeus/mFormerV1 --json
json_is groups/embeddings/matched_names '["cls_token_1","cls_token_2"]'
run inspect "$files/ckpt_epoch_5.pth" --groups=run.yaml --model=strip/ddp
status 1
err 'the handling file has no stages in its parameter_groups'
run inspect "$files/ckpt_epoch_5.pth" --groups=run.yaml --model=mFormerV1
status 1
err 'mFormerV1: no such model'
run inspect "$files/ckpt_epoch_5.pth" --model=linnaeus/mFormerV1
status 2

# By way of other types.
run convert "$files/ckpt_epoch_5.pth" config.yaml --to linnaeus/config
status 0
grep -q '^  NAME: mFormerV1_tiny$' config.yaml || fail 'the config is another'
run inspect config.yaml
out 'linnaeus/config'
run convert "$files/wrapped.pth" plain.npz --to state-dict \
	--strip-prefix module.
status 0
run inspect plain.npz stem.0.weight
status 0
run plan "$files/ckpt_epoch_5.pth" x.th --to ksuit/model \
	--model linnaeus/mFormerV1
status 0
out "'linnaeus/model' to 'state-dict'"
out "'state-dict' to 'ksuit/model'"

finish
