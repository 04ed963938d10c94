-- Nobody knows whom an event that could not be read is about: it is kept as long as it takes to correct and send it again.
INSERT INTO retention_class (retention_class, name, keep_days)
    SELECT max(retention_class) + 1, 'quarantine', 180 FROM retention_class
    ON CONFLICT (name) DO NOTHING;
