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
