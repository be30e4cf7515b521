"""The foundation: what flows, the three kinds of part, the pipeline and the loop. numpy alone."""
