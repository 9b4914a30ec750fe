include formats/zip/local.mk
include formats/pickle/local.mk
include formats/json/local.mk
include formats/torch/local.mk
include formats/safetensors/local.mk
include formats/numpy/local.mk
include formats/yaml/local.mk
include formats/omegaconf/local.mk
