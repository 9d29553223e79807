from hierbench.benchmarks.entry import main

if __name__ == "__main__":
    main()
