"""The pages of jobs: the list, one job, and the form that submits one."""
