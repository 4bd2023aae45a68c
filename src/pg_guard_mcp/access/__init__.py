"""Who may ask and with what: the database credential, and the token of an HTTP caller.

The only place that opens the operating system's keyring. Whatever is secret leaves here wrapped,
so that no `repr`, log line or traceback can show it.
"""
