# golden - traces of the reference implementation, made by Python once and committed.
# PYTHON: one that has test/golden/requirements.txt; by default a venv of our own
PYTHON ?= $(O)/golden/bin/python
golden: $(PYTHON) ## make the golden traces under test/golden anew (Python, once)
	$(PYTHON) test/golden/make.py

$(O)/golden/bin/python: test/golden/requirements.txt
	python3 -m venv $(O)/golden && $(O)/golden/bin/pip install -q -r $<

.PHONY: golden
