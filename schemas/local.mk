dist_schema_DATA = schemas/signatures.yaml

handlingdir = $(schemadir)/handling
dist_handling_DATA = \
	schemas/handling/compile.yaml \
	schemas/handling/ddp.yaml \
	schemas/handling/fsdp.yaml \
	schemas/handling/wrappers.yaml \
	$(NULL)

caimantensorsdir = $(schemadir)/caiman/tensors
dist_caimantensors_DATA = \
	schemas/caiman/tensors/base.yaml \
	schemas/caiman/tensors/large.yaml \
	schemas/caiman/tensors/rnnt.yaml \
	schemas/caiman/tensors/testing.yaml \
	$(NULL)

caimandir = $(schemadir)/caiman
dist_caiman_DATA = \
	schemas/caiman/releases.yaml \
	schemas/caiman/training.yaml \
	$(NULL)

caimaninferencedir = $(schemadir)/caiman/inference
dist_caimaninference_DATA = \
	schemas/caiman/inference/1.6.yaml \
	schemas/caiman/inference/1.9.yaml \
	schemas/caiman/inference/1.11.yaml \
	schemas/caiman/inference/1.13.yaml \
	schemas/caiman/inference/next.yaml \
	$(NULL)

audiocrafttensorsdir = $(schemadir)/audiocraft/tensors
dist_audiocrafttensors_DATA = \
	schemas/audiocraft/tensors/dac-16khz.yaml \
	schemas/audiocraft/tensors/dac-24khz.yaml \
	schemas/audiocraft/tensors/dac-44khz.yaml \
	schemas/audiocraft/tensors/dac.yaml \
	schemas/audiocraft/tensors/encodec-24khz.yaml \
	schemas/audiocraft/tensors/encodec-48khz.yaml \
	schemas/audiocraft/tensors/encodec-audiogen-16khz.yaml \
	schemas/audiocraft/tensors/encodec-base-24khz.yaml \
	schemas/audiocraft/tensors/encodec-musicgen-32khz.yaml \
	schemas/audiocraft/tensors/encodec.yaml \
	$(NULL)

linnaeushandlingdir = $(schemadir)/handling/linnaeus
dist_linnaeushandling_DATA = \
	schemas/handling/linnaeus/mFormerV0.yaml \
	schemas/handling/linnaeus/mFormerV1-guide.yaml \
	schemas/handling/linnaeus/mFormerV1.yaml \
	$(NULL)

linnaeusdir = $(schemadir)/linnaeus
dist_linnaeus_DATA = schemas/linnaeus/load_pretrained.yaml

linnaeustensorsdir = $(schemadir)/linnaeus/tensors
dist_linnaeustensors_DATA = \
	schemas/linnaeus/tensors/mFormerV1-lg.yaml \
	schemas/linnaeus/tensors/mFormerV1-md.yaml \
	schemas/linnaeus/tensors/mFormerV1-sm.yaml \
	schemas/linnaeus/tensors/mFormerV1-xl.yaml \
	schemas/linnaeus/tensors/mFormerV1.yaml \
	$(NULL)

recipesdir = $(schemadir)/recipes
dist_recipes_DATA = \
	schemas/recipes/audiocraft-export-compression.yaml \
	schemas/recipes/audiocraft-export.yaml \
	schemas/recipes/bfloat16.yaml \
	schemas/recipes/caiman-hardware.yaml \
	schemas/recipes/drop-optimizer.yaml \
	schemas/recipes/to-safetensors.yaml \
	schemas/recipes/upgrade.yaml \
	schemas/recipes/weights-only.yaml \
	$(NULL)
