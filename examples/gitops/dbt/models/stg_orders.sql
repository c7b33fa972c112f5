select id, drink from raw.orders
