"""Operations on a dataset, one module per verb: run, plan, retry, decide, forget, doctor."""
