module goroles

go 1.19
