"""What every plan must keep, whoever edited the configuration. A policy is a function over the planned resources that
says what breaks it; how to plan and how to apply does not belong here.
"""
