import java.io.ByteArrayInputStream;
import java.net.InetSocketAddress;
import java.security.KeyFactory;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.HexFormat;
import org.eclipse.leshan.bsserver.BootstrapConfig;
import org.eclipse.leshan.bsserver.BootstrapFailureCause;
import org.eclipse.leshan.bsserver.BootstrapSession;
import org.eclipse.leshan.bsserver.BootstrapSessionListener;
import org.eclipse.leshan.bsserver.InMemoryBootstrapConfigStore;
import org.eclipse.leshan.bsserver.LeshanBootstrapServer;
import org.eclipse.leshan.bsserver.LeshanBootstrapServerBuilder;
import org.eclipse.leshan.bsserver.security.BootstrapSecurityStoreAdapter;
import org.eclipse.leshan.core.SecurityMode;
import org.eclipse.leshan.core.endpoint.Protocol;
import org.eclipse.leshan.core.request.DownlinkBootstrapRequest;
import org.eclipse.leshan.core.request.BootstrapRequest;
import org.eclipse.leshan.core.response.LwM2mResponse;
import org.eclipse.leshan.servers.security.InMemorySecurityStore;
import org.eclipse.leshan.servers.security.SecurityInfo;
import org.eclipse.leshan.transport.californium.bsserver.endpoint.CaliforniumBootstrapServerEndpointsProvider;
import org.eclipse.leshan.transport.californium.bsserver.endpoint.coap.CoapBootstrapServerProtocolProvider;
import org.eclipse.leshan.transport.californium.bsserver.endpoint.coaps.CoapsBootstrapServerProtocolProvider;

/** A Leshan bootstrap server that gives one device the account of a management server, told by the arguments. */
public class BootstrapPeer {
    /** args: coap port, coaps port, URI of the management server, then what ServerPeer takes from the third on */
    public static void main(String[] args) throws Exception {
        LeshanBootstrapServerBuilder builder = new LeshanBootstrapServerBuilder();
        InMemorySecurityStore keys = new InMemorySecurityStore();
        BootstrapConfig.ServerSecurity account = new BootstrapConfig.ServerSecurity();
        keys.add(credentials(builder, account, args));
        builder.setSecurityStore(new BootstrapSecurityStoreAdapter(keys));
        InMemoryBootstrapConfigStore configurations = new InMemoryBootstrapConfigStore();
        configurations.add(args[3], configuration(account, args[2]));
        builder.setConfigStore(configurations);
        CaliforniumBootstrapServerEndpointsProvider.Builder endpoints = new CaliforniumBootstrapServerEndpointsProvider.Builder(
                new CoapBootstrapServerProtocolProvider(), new CoapsBootstrapServerProtocolProvider());
        endpoints.addEndpoint(new InetSocketAddress("127.0.0.1", Integer.parseInt(args[0])), Protocol.COAP);
        endpoints.addEndpoint(new InetSocketAddress("127.0.0.1", Integer.parseInt(args[1])), Protocol.COAPS);
        builder.setEndpointsProviders(endpoints.build());
        LeshanBootstrapServer server = builder.build();
        server.addListener(new Log());
        server.start();
        say("ready");
    }

    private static BootstrapConfig configuration(BootstrapConfig.ServerSecurity security, String uri) {
        BootstrapConfig configuration = new BootstrapConfig();
        // Leshan then discovers the device and leaves the bootstrap server's own account alone.
        configuration.autoIdForSecurityObject = true;
        configuration.toDelete = java.util.List.of("/0", "/1");
        security.uri = uri;
        security.bootstrapServer = false;
        security.serverId = 101;
        configuration.security.put(0, security);
        BootstrapConfig.ServerConfig server = new BootstrapConfig.ServerConfig();
        server.shortId = 101;
        server.lifetime = 300;
        configuration.servers.put(0, server);
        return configuration;
    }

    private static SecurityInfo credentials(LeshanBootstrapServerBuilder builder, BootstrapConfig.ServerSecurity account,
            String[] args) throws Exception {
        String name = args[3];
        if (args[4].equals("psk")) {
            account.securityMode = SecurityMode.PSK;
            account.publicKeyOrId = name.getBytes("UTF-8");
            account.secretKey = bytes(args[5]);
            return SecurityInfo.newPreSharedKeyInfo(name, name, bytes(args[5]));
        }
        KeyFactory factory = KeyFactory.getInstance("EC");
        builder.setPrivateKey(factory.generatePrivate(new PKCS8EncodedKeySpec(bytes(args[5]))));
        account.serverPublicKey = bytes(args[6]);
        account.publicKeyOrId = bytes(args[7]);
        // The device keeps its own key; what is written here only has to be one.
        account.secretKey = bytes(args[5]);
        if (args[4].equals("rpk")) {
            account.securityMode = SecurityMode.RPK;
            builder.setPublicKey(factory.generatePublic(new X509EncodedKeySpec(bytes(args[6]))));
            return SecurityInfo.newRawPublicKeyInfo(name, factory.generatePublic(new X509EncodedKeySpec(bytes(args[7]))));
        }
        account.securityMode = SecurityMode.X509;
        builder.setCertificateChain(new X509Certificate[] { certificate(args[6]) });
        builder.setTrustedCertificates(new X509Certificate[] { certificate(args[7]) });
        return SecurityInfo.newX509CertInfo(name);
    }

    private static X509Certificate certificate(String hex) throws Exception {
        return (X509Certificate) CertificateFactory.getInstance("X.509")
                .generateCertificate(new ByteArrayInputStream(bytes(hex)));
    }

    private static byte[] bytes(String hex) {
        return HexFormat.of().parseHex(hex);
    }

    private static class Log implements BootstrapSessionListener {
        public void sessionInitiated(BootstrapRequest request,
                org.eclipse.leshan.core.peer.LwM2mPeer client) {
        }

        public void unAuthorized(BootstrapRequest request, org.eclipse.leshan.core.peer.LwM2mPeer client) {
            say("unauthorized");
        }

        public void authorized(BootstrapSession session) {
            say("authorized " + session.getEndpoint());
        }

        public void noConfig(BootstrapSession session) {
            say("no-configuration " + session.getEndpoint());
        }

        public void sendRequest(BootstrapSession session, DownlinkBootstrapRequest<? extends LwM2mResponse> request) {
        }

        public void onResponseSuccess(BootstrapSession session,
                DownlinkBootstrapRequest<? extends LwM2mResponse> request, LwM2mResponse response) {
            say("answer " + request.getClass().getSimpleName() + " " + response.getCode());
        }

        public void onResponseError(BootstrapSession session,
                DownlinkBootstrapRequest<? extends LwM2mResponse> request, LwM2mResponse response) {
            say("refused " + request + " " + response);
        }

        public void onRequestFailure(BootstrapSession session,
                DownlinkBootstrapRequest<? extends LwM2mResponse> request, Throwable cause) {
            say("unanswered " + request + " " + cause);
        }

        public void end(BootstrapSession session) {
            say("finished " + session.getEndpoint());
        }

        public void failed(BootstrapSession session, BootstrapFailureCause cause) {
            say("failed " + session.getEndpoint() + " " + cause);
        }
    }

    private static synchronized void say(String line) {
        System.out.println(line.replace('\n', ' '));
        System.out.flush();
    }
}
