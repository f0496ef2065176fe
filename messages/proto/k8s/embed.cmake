# Writes the bytes of the file IN as a C++ array NAME and its size NAMESize (namespace kubemu) to OUT.
file(READ ${IN} hex HEX)
string(LENGTH "${hex}" length)
math(EXPR size "${length} / 2")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
file(WRITE ${OUT} "namespace kubemu {
extern const unsigned char ${NAME}[];
extern const unsigned int ${NAME}Size;
const unsigned char ${NAME}[] = {
${bytes}
};
const unsigned int ${NAME}Size = ${size};
}  // namespace kubemu
")
