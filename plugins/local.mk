include plugins/caiman/local.mk
include plugins/json/local.mk
include plugins/numpy/local.mk
include plugins/pickle/local.mk
include plugins/safetensors/local.mk
include plugins/statedict/local.mk
include plugins/torch/local.mk
include plugins/yaml/local.mk
