DROP FUNCTION leaving_size(integer);
DROP TABLE signing_key, tile, checkpoint;
