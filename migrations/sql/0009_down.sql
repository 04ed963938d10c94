DROP TABLE siem_place;
