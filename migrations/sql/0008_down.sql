DROP TABLE anchoring, time_stamp, cosignature, anchor;
