export CUDA_MPS_PIPE_DIRECTORY=/tmp/mps CUDA_MPS_LOG_DIRECTORY=/tmp/mpslog; mkdir -p /tmp/mps /tmp/mpslog
nvidia-cuda-mps-control -d && sleep 1
if timeout 60 python3 -c "import torch; print(torch.ones(3,device='cuda').sum())"; then echo MPS works; else echo MPS fails; echo quit | timeout 5 nvidia-cuda-mps-control; pkill -9 nvidia-cuda-mps; unset CUDA_MPS_PIPE_DIRECTORY; fi
