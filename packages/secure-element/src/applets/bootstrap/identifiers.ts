import { aid } from '@sefleet/globalplatform';

/** The load file of the bootstrap applet. */
export const BOOTSTRAP_LOAD_FILE = aid('F07365666C65657402');
/** The module of the bootstrap applet. */
export const BOOTSTRAP_MODULE = aid('F07365666C6565740201');
/**
 * The PKCS#15 application that LwM2M clients select (RSA PKCS #15 v1.1 §5.4.1; LwM2M core, bootstrap from
 * smartcard).
 */
export const PKCS15_INSTANCE = aid('A000000063504B43532D3135');
