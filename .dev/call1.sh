. .dev/setup.sh
nvidia-smi -L; nproc; which nvidia-cuda-mps-control; python3 -V
(timeout 200 python3 benchmarks/speed/gpu_checks.py sums cpu bits > $OUT/right.log 2>&1; date >> $OUT/right.log) &
(timeout 100 python3 -m hierbench.benchmarks.entry run paper --device cuda --dry-run 2>&1 | tail -30)
wait; cat $OUT/right.log
date
timeout 60 python3 .dev/variants.py static
timeout 60 python3 .dev/variants.py dynamic
XLA_FLAGS="--xla_gpu_enable_command_buffer=FUSION,CUBLAS,CUBLASLT,CUSTOM_CALL,CUDNN,DYNAMIC_SLICE_FUSION,WHILE,CONDITIONAL" timeout 60 python3 .dev/variants.py graph 2>&1 | tail -4
XLA_FLAGS="--xla_gpu_deterministic_ops=true" timeout 60 python3 .dev/variants.py deterministic 2>&1 | tail -4
date
timeout 150 python3 benchmarks/speed/gpu_checks.py kernel densenet 2>&1 | tail -20
date
