-- {name}. It runs in one transaction, and there is no way back.

