DROP TABLE answer_reader;
