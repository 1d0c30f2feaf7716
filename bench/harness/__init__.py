"""The benchmark's parts: scenarios, the processes that a run starts, what it measures, and its report. bench/run.py calls
`harness.command`."""
