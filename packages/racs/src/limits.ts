/** Bytes of a line: an extended APDU of 65,544 bytes in hexadecimal, with room for the command around it. */
export const LINE_BYTES_MAX = 132_096;
/** Characters of the label behind BEGIN. */
export const LABEL_CHARACTERS_MAX = 64;
/** Commands between BEGIN and END; line numbers have three digits. */
export const COMMANDS_MAX = 998;
/** FETCH for one APDU: the longest response in pieces of 256 bytes. */
export const FETCHES_MAX = 4096;
/** Bytes of a response that is put together from GET RESPONSE pieces and appended lines. */
export const RESPONSE_BYTES_MAX = 1_048_576;
