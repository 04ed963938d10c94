DROP INDEX activity_left, label_id_hash;
DROP TABLE export_download, export_job;
