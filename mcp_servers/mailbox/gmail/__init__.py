"""A Gmail account behind the mailbox: what Google is asked, in its words, and its answers in ours."""
