select drink, count(*) as orders from {{ ref('stg_orders') }} group by drink
