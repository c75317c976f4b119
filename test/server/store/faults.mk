# faults - test_each_call makes memory short in our code, and mutants of some functions.
comma := ,
FAULTS_WRAP := malloc calloc realloc strdup rows_commit files_write files_replace \
               sqlite3_bind_text
$(B)/test/server/store/test_each_call: LIBS += $(FAULTS_WRAP:%=-Wl$(comma)--wrap=%)

# both stand in for functions that this sanitizer calls before it is ready itself
ifeq ($(FLAVOUR),tsan)
TESTS := $(filter-out $(patsubst %,test/server/store/test_%.c,each_call faults),$(TESTS))
endif
