"""Who somebody is to the service: accounts, sessions, tokens of others, and what the log knows of a person.

Who exists, who is disabled and which roles somebody holds is in the log alone. What stands here is what a log
must not hold: verifiers of secrets, and which sessions are open.
"""
