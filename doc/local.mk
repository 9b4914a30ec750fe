EXTRA_DIST += \
	doc/architecture.md \
	doc/adding-a-format.md \
	doc/caiman.md \
	doc/audiocraft.md \
	doc/filters.md \
	doc/handling.md \
	doc/ksuit.md \
	doc/linnaeus.md \
	doc/migrate.md \
	doc/plugin-contract.md \
	doc/schemas.md \
	doc/formats \
	doc/examples \
	$(NULL)
