#!/bin/sh
# Which parameters the groups of a filter file take.
. "${abs_top_srcdir:?}/tests/cli/lib.sh"

files=$FERRY_CORPUS/filters

# Every group, by a real module's own tree.
run inspect "$files/net.pt" --groups="$files/groups.yaml" \
	--initial="$files/old.pt" --json
status 0
json
while read -r path value; do
	json_is "$path" "$value"
done <"$files/expected.txt"
json_is groups/flat/has_more false
json_is groups/flat/remaining_count 0
json_is groups/layers/lr_multiplier 0.5
json_is groups/layers/optimizer muon
json_is groups/layers/weight_decay 0.01
json_is groups/flat/lr_multiplier 1.0
json_is groups/flat/optimizer sgd
json_is groups/DEFAULT/lr_multiplier 1.0
json_is gradnorm/using_unified_filter true
json_is gradnorm/excluded_count 8
json_is findings/0/code no-filter
err "groups.yaml: line 36: group 'lost' has no filter"

# Names of a wrapped model: groups see the wrapper, gradnorm sees through it.
run inspect "$files/wrapped.pt" --groups="$files/groups.yaml" --json
status 0
json_is groups/first/matched_count 0
json_is groups/biases/matched_count 21
json_is groups/layers/matched_count 0
json_is gradnorm/excluded_count 8
json_is gradnorm/excluded/0 module.stem.0.weight
err 'no checkpoint was given to compare with'
json_is groups/new/matched_count 48

run inspect "$files/net.pt" --groups="$files/groups.yaml" --most=2
status 0
out 'kernels: 5 parameters, 336 elements; lr_multiplier 1.0, optimizer sgd, weight_decay 0.01'
out '  stages.0.0.dwconv.weight'
out '  ... and 3 more'
out 'gradnorm excluded: 8 parameters, 241 elements'
out 'none: 0 parameters, 0 elements'
run inspect "$files/net.pt" --groups="$files/groups.yaml" --most=2 --json
json_is groups/kernels/matched_names \
	'["stem.0.weight","stages.0.0.dwconv.weight"]'
json_is groups/kernels/has_more true
json_is groups/kernels/remaining_count 3

# Excluded by parts of names.
cat >plain.yaml <<'EOF'
gradnorm: {exclude_config: null, exclude_patterns: [cls, freqs]}
EOF
run inspect "$files/old.pt" --groups=plain.yaml --json
json_is gradnorm/excluded '["cls_token"]'
json_is gradnorm/using_unified_filter false
json_is groups/DEFAULT/optimizer adamw
json_is groups/DEFAULT/weight_decay 0.050000000000000003
cat >usual.yaml <<'EOF'
gradnorm: {exclude_config: null}
EOF
run inspect "$files/old.pt" --groups=usual.yaml --json
json_is gradnorm/excluded_count 4

# What is asked for and can't be told.
cat >types.yaml <<'EOF'
groups: {a: {filter: {type: layer_type, layer_types: [Conv2d]}}}
EOF
run inspect "$files/net.pt" --groups=types.yaml
status 3
err 'a filter asks for the layer type of cls_token, which weights do not tell; add a table `layer_types`'
run inspect "$files/net.pt" --groups=absent.yaml
status 1
err 'absent.yaml: no such file'
run inspect "$files/net.pt" --groups=plain.yaml --stats
status 2
run inspect "$files/net.pt" --most=3
status 2
err '--model, --initial and --most go with --groups'
run inspect "$files/net.pt" --groups=plain.yaml --most=0
status 2
err '--most needs a number from 1 to 1000000'

finish
