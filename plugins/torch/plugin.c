/* What torch saves, as formats. */
#include "config.h"

#include <ferry/sys/plugin.h>

#include "formats/torch/torch.h"

static const char *const suffixes[] = {
	".pt", ".pth", ".bin", ".ckpt", ".th", ".pth.tar", NULL,
};
static const char *const no_suffixes[] = { NULL };
static const char *const script_suffixes[] = { ".ptl", NULL };
static const char *const export_suffixes[] = { ".pt2", NULL };

static const struct ferry_format torch_format = {
	.struct_size = sizeof(torch_format),
	.name = "torch",
	.title = "PyTorch zip archive",
	.suffixes = suffixes,
	.flags = FERRY_FORMAT_NESTED | FERRY_FORMAT_SHARED |
		 FERRY_FORMAT_STRIDED | FERRY_FORMAT_OBJECTS |
		 FERRY_FORMAT_TENSORS,
	.dtypes = TORCH_DTYPES,
	.probe = torch_probe,
	.read = torch_read,
	.write_options = torch_write_options,
	.write = torch_write,
	.losses = torch_losses,
	.verify = torch_verify,
	.scan = torch_scan,
};

static const struct ferry_format script_format = {
	.struct_size = sizeof(script_format),
	.name = "torchscript",
	.title = "TorchScript archive",
	.suffixes = script_suffixes,
	.flags = FERRY_FORMAT_NESTED | FERRY_FORMAT_SHARED |
		 FERRY_FORMAT_STRIDED | FERRY_FORMAT_OBJECTS |
		 FERRY_FORMAT_TENSORS,
	.probe = torch_script_probe,
	.read = torch_read,
	.verify = torch_verify,
	.scan = torch_scan,
};

static const struct ferry_format export_format = {
	.struct_size = sizeof(export_format),
	.name = "torch-export",
	.title = "torch.export program",
	.suffixes = export_suffixes,
	.flags = FERRY_FORMAT_NESTED | FERRY_FORMAT_SHARED |
		 FERRY_FORMAT_STRIDED | FERRY_FORMAT_OBJECTS |
		 FERRY_FORMAT_TENSORS,
	.probe = torch_export_probe,
	.read = torch_export_read,
	.verify = torch_verify,
	.scan = torch_export_scan,
};

static const struct ferry_format legacy_format = {
	.struct_size = sizeof(legacy_format),
	.name = "torch-legacy",
	.title = "PyTorch stream of pickles (before 1.6)",
	.suffixes = no_suffixes,
	.flags = FERRY_FORMAT_NESTED | FERRY_FORMAT_SHARED |
		 FERRY_FORMAT_STRIDED | FERRY_FORMAT_OBJECTS |
		 FERRY_FORMAT_TENSORS,
	.probe = torch_legacy_probe,
	.read = torch_legacy_read,
	.verify = torch_stream_verify,
	.scan = torch_legacy_scan,
};

static const struct ferry_format tar_format = {
	.struct_size = sizeof(tar_format),
	.name = "torch-tar",
	.title = "PyTorch tar (0.1.8 and before)",
	.suffixes = no_suffixes,
	.flags = FERRY_FORMAT_NESTED | FERRY_FORMAT_SHARED |
		 FERRY_FORMAT_STRIDED | FERRY_FORMAT_OBJECTS |
		 FERRY_FORMAT_TENSORS,
	.probe = torch_tar_probe,
	.read = torch_tar_read,
	.verify = torch_stream_verify,
	.scan = torch_tar_scan,
};

static const struct ferry_format *const formats[] = {
	&torch_format,
	&script_format,
	&export_format,
	&legacy_format,
	&tar_format,
	NULL,
};

FERRY_PLUGIN_EXPORT = {
	.struct_size = sizeof(ferry_plugin_v1),
	.abi_minor = FERRY_ABI_MINOR,
	.name = "torch",
	.version = "1.0",
	.license = "Apache-2.0",
	.description = "PyTorch checkpoints of every release, and TorchScript",
	.formats = formats,
};
