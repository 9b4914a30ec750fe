dist_schema_DATA = schemas/signatures.yaml

handlingdir = $(schemadir)/handling
dist_handling_DATA = \
	schemas/handling/compile.yaml \
	schemas/handling/ddp.yaml \
	schemas/handling/fsdp.yaml \
	schemas/handling/wrappers.yaml \
	$(NULL)
