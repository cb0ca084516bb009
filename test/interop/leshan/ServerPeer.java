import java.io.ByteArrayInputStream;
import java.net.InetSocketAddress;
import java.security.KeyFactory;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.Collection;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import org.eclipse.leshan.core.endpoint.Protocol;
import org.eclipse.leshan.core.link.lwm2m.attributes.LwM2mAttributeSet;
import org.eclipse.leshan.core.link.lwm2m.attributes.LwM2mAttributes;
import org.eclipse.leshan.core.node.LwM2mObjectInstance;
import org.eclipse.leshan.core.node.LwM2mSingleResource;
import org.eclipse.leshan.core.node.TimestampedLwM2mNodes;
import org.eclipse.leshan.core.observation.CompositeObservation;
import org.eclipse.leshan.core.observation.Observation;
import org.eclipse.leshan.core.observation.SingleObservation;
import org.eclipse.leshan.core.request.*;
import org.eclipse.leshan.core.response.LwM2mResponse;
import org.eclipse.leshan.core.response.ObserveCompositeResponse;
import org.eclipse.leshan.core.response.ObserveResponse;
import org.eclipse.leshan.server.LeshanServer;
import org.eclipse.leshan.server.LeshanServerBuilder;
import org.eclipse.leshan.server.observation.ObservationListener;
import org.eclipse.leshan.server.queue.PresenceListener;
import org.eclipse.leshan.server.queue.StaticClientAwakeTimeProvider;
import org.eclipse.leshan.server.registration.Registration;
import org.eclipse.leshan.server.registration.RegistrationListener;
import org.eclipse.leshan.server.registration.RegistrationUpdate;
import org.eclipse.leshan.server.send.SendListener;
import org.eclipse.leshan.servers.security.InMemorySecurityStore;
import org.eclipse.leshan.servers.security.SecurityInfo;
import org.eclipse.leshan.transport.californium.server.endpoint.CaliforniumServerEndpointsProvider;
import org.eclipse.leshan.transport.californium.server.endpoint.coap.CoapServerProtocolProvider;
import org.eclipse.leshan.transport.californium.server.endpoint.coaps.CoapsServerProtocolProvider;

/** A Leshan server that asks a device everything once it registers, and prints a line for each answer. */
public class ServerPeer {
    /** How long it takes a queue-mode device to be awake after its last message. */
    private static final int AWAKE_MS = 3000;
    private static LeshanServer server;

    /**
     * args: coap port, coaps port, endpoint name, then psk and the key, or rpk and the server's private key, its public
     * key and the device's, or x509 and the server's private key, its certificate and the authority's; DER in hexadecimal
     */
    public static void main(String[] args) throws Exception {
        LeshanServerBuilder builder = new LeshanServerBuilder();
        builder.setSecurityStore(keys(builder, args));
        CaliforniumServerEndpointsProvider.Builder endpoints = new CaliforniumServerEndpointsProvider.Builder(
                new CoapServerProtocolProvider(), new CoapsServerProtocolProvider());
        endpoints.addEndpoint(new InetSocketAddress("127.0.0.1", Integer.parseInt(args[0])), Protocol.COAP);
        endpoints.addEndpoint(new InetSocketAddress("127.0.0.1", Integer.parseInt(args[1])), Protocol.COAPS);
        builder.setEndpointsProviders(endpoints.build());
        builder.setClientAwakeTimeProvider(new StaticClientAwakeTimeProvider(AWAKE_MS));
        server = builder.build();
        listen();
        server.start();
        say("ready");
    }

    private static InMemorySecurityStore keys(LeshanServerBuilder builder, String[] args) throws Exception {
        InMemorySecurityStore keys = new InMemorySecurityStore();
        String name = args[2];
        if (args[3].equals("psk")) {
            keys.add(SecurityInfo.newPreSharedKeyInfo(name, name, bytes(args[4])));
            return keys;
        }
        KeyFactory factory = KeyFactory.getInstance("EC");
        builder.setPrivateKey(factory.generatePrivate(new PKCS8EncodedKeySpec(bytes(args[4]))));
        if (args[3].equals("rpk")) {
            builder.setPublicKey(factory.generatePublic(new X509EncodedKeySpec(bytes(args[5]))));
            keys.add(SecurityInfo.newRawPublicKeyInfo(name, factory.generatePublic(new X509EncodedKeySpec(bytes(args[6])))));
        } else {
            builder.setCertificateChain(new X509Certificate[] { certificate(args[5]) });
            builder.setTrustedCertificates(new X509Certificate[] { certificate(args[6]) });
            keys.add(SecurityInfo.newX509CertInfo(name));
        }
        return keys;
    }

    private static X509Certificate certificate(String hex) throws Exception {
        return (X509Certificate) CertificateFactory.getInstance("X.509")
                .generateCertificate(new ByteArrayInputStream(bytes(hex)));
    }

    private static byte[] bytes(String hex) {
        return HexFormat.of().parseHex(hex);
    }

    private static void listen() {
        server.getRegistrationService().addListener(new RegistrationListener() {
            public void registered(Registration now, Registration before, Collection<Observation> observations) {
                say("registered " + now.getEndpoint() + " " + now.getLwM2mVersion() + " " + now.getLifeTimeInSec());
                new Thread(() -> ask(now)).start();
            }

            public void updated(RegistrationUpdate update, Registration now, Registration before) {
                say("updated " + now.getEndpoint() + " " + now.getLifeTimeInSec());
            }

            public void unregistered(Registration gone, Collection<Observation> observations, boolean expired,
                    Registration replacedBy) {
                say("unregistered " + gone.getEndpoint());
            }
        });
        server.getObservationService().addListener(new ObservationListener() {
            public void newObservation(Observation observation, Registration registration) {
            }

            public void cancelled(Observation observation) {
            }

            public void onResponse(SingleObservation observation, Registration registration, ObserveResponse response) {
                say("notified " + observation.getPath() + " " + response.getContent());
            }

            public void onResponse(CompositeObservation observation, Registration registration,
                    ObserveCompositeResponse response) {
                say("notified-composite " + response.getContent());
            }

            public void onError(Observation observation, Registration registration, Exception error) {
                say("notified-wrong " + error);
            }
        });
        server.getPresenceService().addListener(new PresenceListener() {
            public void onSleeping(Registration device) {
                say("sleeping " + device.getEndpoint());
            }

            public void onAwake(Registration device) {
                say("awake " + device.getEndpoint());
                new Thread(() -> step("awake-read", device, new ReadRequest(3, 0))).start();
            }
        });
        server.getSendService().addListener(new SendListener() {
            public void dataReceived(Registration registration, TimestampedLwM2mNodes data, SendRequest request) {
                say("sent " + data.getTimestamps().size() + " " + data.getMostRecentNodes());
            }

            public void onError(Registration registration, String message, Exception error) {
                say("sent-wrong " + message + " " + error);
            }
        });
    }

    private static void ask(Registration device) {
        for (ContentFormat format : new ContentFormat[] { ContentFormat.TLV, ContentFormat.SENML_CBOR, ContentFormat.SENML_JSON }) {
            step("read-" + format.getName(), device, new ReadRequest(format, 3, 0));
        }
        step("read-text", device, new ReadRequest(ContentFormat.TEXT, 3, 0, 0));
        step("read-cbor", device, new ReadRequest(ContentFormat.CBOR, 3, 0, 13));
        step("read-default", device, new ReadRequest(3));
        step("read-instance", device, new ReadRequest(3, 0, 11, 0));
        step("read-security", device, new ReadRequest(0, 1));
        step("write-text", device, new WriteRequest(ContentFormat.TEXT, 3, 0, 14, "+02:00"));
        step("write-tlv", device, new WriteRequest(ContentFormat.TLV, 3, 0, 14, "+03:00"));
        step("write-senml", device, new WriteRequest(ContentFormat.SENML_CBOR, 3, 0, 14, "+04:00"));
        step("update", device, new WriteRequest(WriteRequest.Mode.UPDATE, ContentFormat.TLV, 1, 0,
                LwM2mSingleResource.newIntegerResource(2, 1)));
        step("write-readonly", device, new WriteRequest(ContentFormat.TEXT, 3, 0, 0, "x"));
        step("execute", device, new ExecuteRequest(3, 0, 4));
        step("discover", device, new DiscoverRequest(3, 0));
        step("attributes", device, new WriteAttributesRequest(6, 0, 0,
                new LwM2mAttributeSet(LwM2mAttributes.create(LwM2mAttributes.MAXIMUM_PERIOD, 60L))));
        step("create", device, new CreateRequest(ContentFormat.TLV, 2, new LwM2mObjectInstance(5,
                LwM2mSingleResource.newIntegerResource(0, 3), LwM2mSingleResource.newIntegerResource(1, 0),
                LwM2mSingleResource.newIntegerResource(3, 101))));
        step("firmware", device, new WriteRequest(ContentFormat.OPAQUE, 5, 0, 0, new byte[20_000]));
        step("read-composite", device, new ReadCompositeRequest(ContentFormat.SENML_CBOR, ContentFormat.SENML_CBOR, "/3/0/0", "/6/0/0", "/1/0"));
        Map<String, Object> values = new HashMap<>();
        values.put("/3/0/14", "+05:00");
        values.put("/1/0/3", 60L);
        step("write-composite", device, new WriteCompositeRequest(ContentFormat.SENML_JSON, values));
        step("observe", device, new ObserveRequest(ContentFormat.SENML_CBOR, 6, 0, 0));
        step("observe-composite", device, new ObserveCompositeRequest(ContentFormat.SENML_CBOR, ContentFormat.SENML_CBOR, "/6/0/1", "/3/0/0"));
        say("asked");
    }

    private static <T extends LwM2mResponse> void step(String name, Registration device,
            DownlinkDeviceManagementRequest<T> request) {
        try {
            T response = server.send(device, request, 5000);
            say("step " + name + " " + (response == null ? "timeout" : response.getCode() + " " + response));
        } catch (Exception error) {
            say("step " + name + " failed " + error);
        }
    }

    private static synchronized void say(String line) {
        System.out.println(line.replace('\n', ' '));
        System.out.flush();
    }
}
