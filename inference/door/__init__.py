"""Where clients come in: the address listened on, who may pass, what is read of a request, and how an answer is written."""
