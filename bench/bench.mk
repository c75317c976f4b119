# bench - the programs that measure the engine; `make bench` builds them.
bench: $(patsubst %,$(B)/bench/%,ops block steps checkpoint images) ## build the programs of bench/
$(B)/bench/%: bench/%.c $(ARCHIVES)
	@mkdir -p $(@D)
	$(LINK) $(LIBS)

.PHONY: bench
