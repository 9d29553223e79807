python3 -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --upgrade --target /tmp/site .whl/*.whl
L=/tmp/hb; rm -rf $L; mkdir -p $L/hierbench; R=$PWD; (cd $L/hierbench; ln -s $R/benchmarks $R/learners $R/plots $R/targets $R/benchmarks/package/*.* .)
export PYTHONPATH=/tmp/hb:/tmp/site PYTHONUNBUFFERED=1 XLA_PYTHON_CLIENT_PREALLOCATE=false
