"""Jobs over Celery: wake-ups through Redis or RabbitMQ for workers on any number of machines.

The rows of the store are the truth. A message names a queue and nothing else: whoever gets it
claims the oldest task that is ready there. Nothing here knows HTTP.
"""
