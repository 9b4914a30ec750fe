include plugins/pickle/local.mk
include plugins/torch/local.mk
