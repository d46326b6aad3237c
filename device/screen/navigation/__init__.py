"""What pages stand on: what a page is, how it is composed, and how touch, keys and actions lead to the next one."""
