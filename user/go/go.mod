module cosched.io/cosched

go 1.24
