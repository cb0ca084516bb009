import java.util.HexFormat;
import org.eclipse.leshan.client.LeshanClient;
import org.eclipse.leshan.client.LeshanClientBuilder;
import org.eclipse.leshan.client.object.Device;
import org.eclipse.leshan.client.object.Security;
import org.eclipse.leshan.client.object.Server;
import org.eclipse.leshan.client.observer.LwM2mClientObserverAdapter;
import org.eclipse.leshan.client.resource.ObjectsInitializer;
import org.eclipse.leshan.client.send.ManualDataSender;
import org.eclipse.leshan.client.servers.LwM2mServer;
import org.eclipse.leshan.core.ResponseCode;
import org.eclipse.leshan.core.request.BootstrapRequest;
import org.eclipse.leshan.core.request.ContentFormat;
import org.eclipse.leshan.core.request.RegisterRequest;
import org.eclipse.leshan.core.request.UpdateRequest;
import org.eclipse.leshan.transport.californium.client.endpoint.CaliforniumClientEndpointsProvider;
import org.eclipse.leshan.transport.californium.client.endpoint.coap.CoapClientProtocolProvider;
import org.eclipse.leshan.transport.californium.client.endpoint.coaps.CoapsClientProtocolProvider;

/** A Leshan client that bootstraps, registers, sends and updates, and prints a line for each event. */
public class ClientPeer {
    /**
     * args: bootstrap URI, endpoint name, then psk and the key, or rpk (x509) and the client's public key
     * (certificate), its private key and the server's public key (certificate); DER in hexadecimal
     */
    public static void main(String[] args) throws Exception {
        ObjectsInitializer objects = new ObjectsInitializer();
        objects.setInstancesForObject(0, account(args));
        objects.setClassForObject(1, Server.class);
        objects.setInstancesForObject(3, new Device("Eclipse Leshan", "peer", "12345"));
        LeshanClientBuilder builder = new LeshanClientBuilder(args[1]);
        builder.setObjects(objects.createAll());
        builder.setDataSenders(new ManualDataSender());
        builder.setEndpointsProviders(new CaliforniumClientEndpointsProvider.Builder(new CoapClientProtocolProvider(),
                new CoapsClientProtocolProvider()).build());
        LeshanClient client = builder.build();
        client.addObserver(new LwM2mClientObserverAdapter() {
            public void onBootstrapSuccess(LwM2mServer server, BootstrapRequest request) {
                say("bootstrapped");
            }

            public void onBootstrapFailure(LwM2mServer server, BootstrapRequest request, ResponseCode code,
                    String message, Exception cause) {
                say("bootstrap-failed " + code + " " + message + " " + cause);
            }

            public void onRegistrationSuccess(LwM2mServer server, RegisterRequest request, String id) {
                say("registered " + server.getUri());
                new Thread(() -> report(client, server)).start();
            }

            public void onRegistrationFailure(LwM2mServer server, RegisterRequest request, ResponseCode code,
                    String message, Exception cause) {
                say("registration-failed " + code + " " + message + " " + cause);
            }

            public void onUpdateSuccess(LwM2mServer server, UpdateRequest request) {
                say("updated");
            }

            public void onUnexpectedError(Throwable error) {
                say("error " + error);
            }
        });
        client.start();
        System.in.read();
        client.destroy(true);
        say("stopped");
        System.exit(0);
    }

    private static Security account(String[] args) throws Exception {
        if (args[2].equals("psk"))
            return Security.pskBootstrap(args[0], args[1].getBytes("UTF-8"), bytes(args[3]));
        if (args[2].equals("rpk"))
            return Security.rpkBootstrap(args[0], bytes(args[3]), bytes(args[4]), bytes(args[5]));
        return Security.x509Bootstrap(args[0], bytes(args[3]), bytes(args[4]), bytes(args[5]));
    }

    private static byte[] bytes(String hex) {
        return HexFormat.of().parseHex(hex);
    }

    private static void report(LeshanClient client, LwM2mServer server) {
        try {
            Object response = client.getSendService().sendData(server, ContentFormat.SENML_CBOR,
                    java.util.List.of("/3/0/0", "/3/0/1"), 5000);
            say("send " + response);
            client.triggerRegistrationUpdate(server);
        } catch (Exception error) {
            say("send-failed " + error);
        }
    }

    private static synchronized void say(String line) {
        System.out.println(line.replace('\n', ' '));
        System.out.flush();
    }
}
