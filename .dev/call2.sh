T0=$(date +%s); . .dev/setup.sh; . .dev/mps.sh
export XLA_FLAGS=--xla_gpu_deterministic_ops=true
R="python3 .dev/hb.py run paper --device cuda --no-figures --quiet"
mkdir -p /tmp/r; for s in A B C; do [ -f .dev/$s.sqlite ] && mkdir -p /tmp/r/$s && cp .dev/$s.sqlite /tmp/r/$s/hierbench.sqlite; done
END=${END:-545}
stop() { sleep $((END - ($(date +%s) - T0))); pkill -TERM -f .dev/hb.py; }
(timeout $END $R --learner krr_polynomial --target squares-L2 --target squares-L3 --workers 1 --results /tmp/r/B > $OUT/B.log 2>&1; timeout $((END - ($(date +%s) - T0))) $R --learner krr_polynomial --workers 1 --results /tmp/r/B >> $OUT/B.log 2>&1) &
sleep 3
(XLA_PYTHON_CLIENT_MEM_FRACTION=0.025 timeout $END $R $NETS --workers 11 --results /tmp/r/A > $OUT/A.log 2>&1) &
(timeout $END $R $CPUS --workers 4 --results /tmp/r/C > $OUT/C.log 2>&1) &
for i in $(seq 1 200); do sleep 20; t=$(($(date +%s) - T0)); [ $t -ge $END ] && break; echo "$t s $(nvidia-smi --query-gpu=utilization.gpu,memory.used --format=csv,noheader) load $(cut -d' ' -f1 /proc/loadavg) free $(free -g | awk '/Mem/{print $7}')"; done > $OUT/gpu.log
sleep 8; pkill -9 -f .dev/hb.py; sleep 1
for s in A B C; do python3 -c "
import sqlite3,sys; c=sqlite3.connect('/tmp/r/$s/hierbench.sqlite'); c.execute('pragma wal_checkpoint(truncate)'); print('$s', c.execute('select status,count(*),sum(seconds) from units group by status').fetchall(), c.execute('select count(*) from rows').fetchall())"; gzip -9 -c /tmp/r/$s/hierbench.sqlite > $OUT/$s.sqlite.gz; done
tail -3 $OUT/gpu.log; head -c 1500 $OUT/A.log; tail -c 1500 $OUT/A.log; tail -c 800 $OUT/B.log;  tail -c 800 $OUT/C.log; ls -la $OUT
