# shipped helpers
