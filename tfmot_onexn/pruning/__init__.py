"""When weights become zero: schedules, policies, wrappers, callbacks."""
