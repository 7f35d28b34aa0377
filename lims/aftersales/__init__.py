"""The service: visits, complaints against clocks, retests, objections, advice, surveys, seminars."""
